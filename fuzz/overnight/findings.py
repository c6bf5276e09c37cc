# SPDX-License-Identifier: Apache-2.0
"""The findings of a night: one per cause, each with a folder of its own.

    findings/<cause>/input          as the fuzzer saved it
    findings/<cause>/log            what the process printed that found it: its stack is shown
    findings/<cause>/finding.json   target, lane, build, when, how often, what it is known as
    findings/<cause>/triage.json    what triage.py finds: shrunk input, operations, test, and the
                                    stack of the replay
"""

import shutil
import sys
import time

from . import causes, files, job

_UNNAMED = "unread"
# Limits for shrinking one finding. A longer night gives it more time.
_LEAST_TRIAGE_SECONDS = 60
_MOST_TRIAGE_SECONDS = 600


class Triage(job.Job):
    """Examines one finding, in a process of its own."""

    def __init__(self, findings, folder, seconds):
        self._findings = findings
        self.folder = folder
        command = [sys.executable, "-m", "overnight.triage", folder, f"{seconds:.0f}"]
        super().__init__(f"triage {folder.name}", command, folder / "triage.log", seconds * 2 + 60)

    def failed_to_start(self, error):
        self._findings.triage_ended(self.folder, f"did not start: {error}")

    def ended(self):
        failed = self.forced or self.status != 0
        how = f"ended with {self.forced or self.status}: {self.last_words()}"
        self._findings.triage_ended(self.folder, how if failed else None)


class Findings:
    """All of a night, by cause. `say` shows a line to the user at once."""

    def __init__(self, settings, store, troubles, say, night_id):
        self._settings = settings
        self._store = store
        self._troubles = troubles
        self._say = say
        self._night_id = night_id
        self.folder = store.out / "findings"
        self._known_file = settings.cache / "known.json"
        self.known = self._read_known()
        self.by_cause = {}
        self._waiting = []
        self._seconds = min(max(settings.seconds / 20, _LEAST_TRIAGE_SECONDS), _MOST_TRIAGE_SECONDS)

    def _read_known(self):
        known = files.read_json(self._known_file, {})
        return {name: entry for name, entry in known.items() if isinstance(entry, dict)}

    def recover(self):
        """Reads the findings of a night that was killed. Those without triage wait for it."""
        for path in sorted(self.folder.glob("*/finding.json")):
            finding = files.read_json(path)
            if finding:
                # A finding of an earlier version has no such list.
                finding.setdefault("sightings", [path.parent.name])
                self.by_cause[path.parent.name] = finding
        for folder in [self.folder / name for name in self.by_cause]:
            if files.read_json(folder / "triage.json"):
                self.triage_ended(folder, None)
            elif "binary" in self.by_cause[folder.name]:
                self._waiting.append(folder)

    def found(self, time_slice, paths, text, cause):
        """Records why a slice died, or what it saved; returns the cause's name."""
        names = []
        for path in paths or [None]:
            data = path.read_bytes() if path else None
            sighting = self._sighting(time_slice, data)
            noted = self._noted(sighting)
            if noted:
                # Recorded already, before a kill that came before the end of the slice.
                names.append(noted)
                continue
            # AFL++ saves inputs but no reports: triage will name the cause.
            name = cause.name(time_slice.target) if cause else self._unnamed(time_slice, data)
            known_as = None
            if data is not None and time_slice.died_of_its_corpus(text):
                known_as = self._leave_out(time_slice.target, data)
            if name in self.by_cause:
                self._note_again(name, sighting, known_as)
            else:
                self._note(time_slice, name, cause, data, text, known_as, sighting)
            names.append(name)
        return names[0]

    @staticmethod
    def _sighting(time_slice, data):
        """Names one event. The name stays the same when a later start reports the event again."""
        content = files.name_of(data or b"")
        if time_slice.engine.findings_stay:
            return content
        return f"slice {time_slice.number}: {content}"

    def _noted(self, sighting):
        return next((n for n, f in self.by_cause.items() if sighting in f["sightings"]), None)

    @staticmethod
    def _unnamed(time_slice, data):
        return f"{time_slice.target}-{_UNNAMED}-{files.name_of(data)[:12]}"

    def _leave_out(self, target, data):
        with self._troubles.survives(f"leaving out an input of {target}"):
            path = self._store.corpora.leave_out(target, data)
            return path if path and "/regress/" in path else None
        return None

    def _note_again(self, name, sighting, known_as):
        finding = self.by_cause[name]
        finding["sightings"].append(sighting)
        finding["known_as"] = finding["known_as"] or known_as
        self._write(name, finding)

    def _note(self, time_slice, name, cause, data, text, known_as, sighting):
        finding = {
            "target": time_slice.target,
            "lane": time_slice.lane.name,
            "variant": time_slice.lane.reporting_variant,
            "binary": str(self._binary(time_slice)),
            "kind": cause.kind if cause else _UNNAMED,
            "sightings": [sighting],
            "first_seen_s": round(time_slice.ended_at(), 1),
            "known_as": known_as or self._known_before(name),
            "has_input": data is not None,
        }
        self.by_cause[name] = finding
        folder = self.folder / name
        if data is not None:
            self._keep(name, "input", data)
        self._keep(name, "log", text.encode())
        self._write(name, finding)
        self._say(f"FINDING {name}" + (f" (known: {known_as})" if known_as else ""))
        self._waiting.append(folder)

    def trace_failed(self, trace, kind, text):
        """Records a trace whose replay broke a law, crashed or hung."""
        name = f"{trace.name.split('.')[0]}-trace-{kind}"
        finding = {
            "target": trace.name,
            "lane": "replay",
            "kind": kind,
            "sightings": ["replay"],
            "first_seen_s": 0.0,
            "known_as": self._known_before(name),
            "has_input": True,
            "command": f"./bazelw run //tools/slabmill -- replay $PWD/corpus/traces/{trace.name}",
        }
        self.by_cause[name] = finding
        self._keep(name, "input", trace.read_bytes())
        self._keep(name, "log", text.encode())
        self._write(name, finding)

    def _binary(self, time_slice):
        return self._settings.binary(time_slice.lane.reporting_variant, time_slice.target).resolve()

    def _known_before(self, name):
        night = self.known.get(name, {}).get("first")
        return f"night {night}" if night and night != self._night_id else None

    def _keep(self, name, file, data):
        path = self.folder / name / file
        self._store.write(f"finding {name}", lambda: files.write_bytes(path, data))

    def _write(self, name, finding):
        path = self.folder / name / "finding.json"
        self._store.write(f"finding {name}", lambda: files.write_json(path, finding))

    # Triage.

    def next_job(self):
        """Returns the triage of a finding that waits for it, or None."""
        while self._waiting:
            folder = self._waiting.pop(0)
            if (folder / "finding.json").exists():
                return Triage(self, folder, self._seconds)
        return None

    def triage_ended(self, folder, trouble):
        """Reads the result. A finding whose cause was unknown gets its name now."""
        if trouble:
            self._troubles.add(f"triage of {folder.name} {trouble}")
        triage = files.read_json(folder / "triage.json")
        if triage and triage.get("cause") and triage["cause"] != folder.name:
            self._rename(folder, triage["cause"])

    def _rename(self, folder, name):
        finding = self.by_cause.pop(folder.name)
        twin = self.by_cause.get(name)
        if twin:
            # A set: after a kill between here and the removal below, this runs again.
            twin["sightings"] = sorted({*twin["sightings"], *finding["sightings"]})
            self._write(name, twin)
            # finding.json first: without it, what a kill leaves of the folder is no finding.
            (folder / "finding.json").unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            return
        finding["known_as"] = finding["known_as"] or self._known_before(name)
        self.by_cause[name] = finding
        with self._troubles.survives(f"finding {name}"):
            shutil.rmtree(self.folder / name, ignore_errors=True)
            folder.rename(self.folder / name)
        self._write(name, finding)

    # The end.

    def count(self, known):
        """The number of known findings, or of new ones."""
        return sum(1 for f in self.by_cause.values() if bool(f["known_as"]) == known)

    def remember(self):
        """Records the causes, so that later nights know them."""
        now, lock = time.strftime("%Y-%m-%d"), self._known_file.with_name(".known.lock")
        with self._troubles.survives("list of known findings"), files.locked(lock):
            # Read again: other runners may have added theirs.
            known = self._read_known()
            for name in self.by_cause:
                known.setdefault(name, {"first": self._night_id})["last"] = now
            files.write_json(self._known_file, known)

    def report(self):
        """Returns the findings as report.json has them, new ones first."""
        names = sorted(self.by_cause, key=lambda n: (bool(self.by_cause[n]["known_as"]), n))
        return [self._report_one(name) for name in names]

    def _report_one(self, name):
        finding, folder = self.by_cause[name], self.folder / name
        # Triage of a finding whose cause was known already holds only the cause.
        triage = {**self._untriaged(folder), **files.read_json(folder / "triage.json", {})}
        triage |= self._of_find(folder)
        path = str(folder / triage["input"]) if finding["has_input"] else ""
        shown = ("law", "frames", "ops", "flaky", "reproduced", "tries", "test")
        shown += ("stack", "stack_from")
        return {
            **{key: finding[key] for key in ("target", "first_seen_s", "lane", "known_as")},
            "seen": len(finding["sightings"]),
            **{key: triage[key] for key in shown},
            "kind": triage["kind"] or finding["kind"],
            "known": bool(finding["known_as"]),
            "cause": name,
            "input": path,
            "command": self._command(finding, path),
            "size_bytes": triage["size_bytes"],
            "original_bytes": triage["original_bytes"],
        }

    def _command(self, finding, path):
        """The command that reproduces it. Made last, since triage may rename the folder."""
        if "command" in finding or not path:
            return finding.get("command", "")
        build, program = self._settings.repeat(finding["target"], finding["variant"])
        return f"{build} && {program} {path}"

    @staticmethod
    def _of_find(folder):
        """What the process printed that found it, if that has a stack. A replay may fail elsewhere,
        and runs another input if it was shrunk."""
        cause = causes.classify(files.read_text(folder / "log"))
        if cause is None or not causes.has_stack(cause.stack):
            return {}
        shown = {"kind": cause.kind, "law": cause.law, "frames": list(cause.frames)}
        return {**shown, "stack": cause.stack, "stack_from": "find"}

    @staticmethod
    def _untriaged(folder):
        """What the first log shows. It is all there is without time, input or disk for triage."""
        cause = causes.classify(files.read_text(folder / "log"))
        size = (folder / "input").stat().st_size if (folder / "input").exists() else 0
        return {
            "law": cause.law if cause else None,
            "kind": cause.kind if cause else None,
            "frames": list(cause.frames) if cause else [],
            "stack": cause.stack if cause else "",
            "stack_from": "find",
            "ops": "",
            "test": "",
            "flaky": False,
            "reproduced": 0,
            "tries": 0,
            "input": "input",
            "size_bytes": size,
            "original_bytes": size,
        }
