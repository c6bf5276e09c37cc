// SPDX-License-Identifier: Apache-2.0
// Copy buttons, and the source lines of a file once it is opened.
'use strict';

(() => {
  function make(tag, className, text) {
    const element = document.createElement(tag);
    element.className = className;
    if (text !== undefined) {
      element.textContent = text;
    }
    return element;
  }

  function select(element) {
    const selection = getSelection();
    selection.removeAllRanges();
    selection.selectAllChildren(element);
  }

  // Without access to the clipboard, the text stays selected for the reader to copy.
  async function copy(element) {
    try {
      await navigator.clipboard.writeText(element.textContent);
      return 'Copied';
    } catch {
      select(element);
      return document.execCommand('copy') ? 'Copied' : 'Press Ctrl-C';
    }
  }

  function addCopyButton(element) {
    const button = make('button', 'copy', 'Copy');
    button.type = 'button';
    button.setAttribute('aria-live', 'polite');
    button.addEventListener('click', async () => {
      button.textContent = await copy(element);
    });
    button.addEventListener('blur', () => {
      button.textContent = 'Copy';
    });
    element.after(button);
  }

  function lineItem(number, text, file) {
    const hits = file.hits[number];
    const item = make('li', '');
    item.classList.toggle('has-code', hits !== undefined);
    item.classList.toggle('uncovered', hits === 0);
    item.classList.toggle('lost', file.lost.includes(number));
    item.classList.toggle('gained', file.gained.includes(number));
    const count = hits === undefined ? '' : hits.toLocaleString('en', {notation: 'compact'});
    item.append(make('span', 'number', number), make('span', 'hits', count));
    item.append(make('span', 'text', text));
    if (hits !== undefined) {
      item.title = `line ${number}: run ${hits.toLocaleString('en')} times`;
    }
    return item;
  }

  // Each press shows the next group of lines that never ran.
  function addStepper(box, list) {
    const starts = [...list.querySelectorAll('.has-code')].filter((item, i, lines) =>
      item.classList.contains('uncovered') &&
      !(i > 0 && lines[i - 1].classList.contains('uncovered')));
    const button = make('button', '', 'Next uncovered');
    const place = make('span', 'note', `${starts.length} in all`);
    let at = -1;
    button.type = 'button';
    button.disabled = !starts.length;
    button.addEventListener('click', () => {
      starts.forEach((item) => item.classList.remove('current'));
      at = (at + 1) % starts.length;
      starts[at].classList.add('current');
      starts[at].scrollIntoView({block: 'nearest'});
      place.textContent = `${at + 1} of ${starts.length}`;
    });
    const steps = make('div', 'steps');
    steps.append(button, place);
    box.append(steps);
  }

  function showLines(details) {
    const block = document.getElementById('source-data-' + details.dataset.source);
    const file = JSON.parse(block.textContent);
    if (file.text === null) {
      return;
    }
    const list = make('ol', '');
    list.append(...file.text.replace(/\n$/, '').split('\n')
      .map((text, i) => lineItem(i + 1, text, file)));
    const code = make('div', 'code');
    code.tabIndex = 0;
    code.setAttribute('role', 'region');
    code.setAttribute('aria-label', `Lines of ${file.path}: number, times run, text`);
    code.append(list);
    addStepper(details, list);
    details.append(code);
  }

  document.querySelectorAll('[data-copy]').forEach(addCopyButton);
  for (const details of document.querySelectorAll('details[data-source]')) {
    details.addEventListener('toggle', () => showLines(details), {once: true});
  }
})();
