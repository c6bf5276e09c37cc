# SPDX-License-Identifier: Apache-2.0
# Sourced by check.sh: the checks of OSS-Fuzz's presubmit on a project's three files. They read only
# the text and build nothing. Uses the variable root.

licence_url=http://www.apache.org/licenses/LICENSE-2.0

known_keys=" architectures auto_ccs blackbox builds_per_day coverage_extra_args disabled \
file_github_issue fuzzing_engines help_url homepage labels language main_repo primary_contact \
run_tests sanitizers selective_unpack vendor_ccs view_restrictions "
needed_keys=(homepage language main_repo primary_contact)

refuse_text() { # file sentence
    echo "FAILED presubmit, $1: $2" >&2
    return 1
}

check_licence() { # file
    [ -e "$root/fuzz/oss-fuzz/$1" ] || refuse_text "$1" "is missing" || return
    grep -qF "$licence_url" "$root/fuzz/oss-fuzz/$1" ||
        refuse_text "$1" "lacks the Apache header with $licence_url" || return
    grep -q '^# Copyright [0-9]' "$root/fuzz/oss-fuzz/$1" ||
        refuse_text "$1" "lacks a line with the copyright"
}

check_engine_name() {
    ! sed 's/#.*//' "$root/fuzz/oss-fuzz/build.sh" | grep -qe '-lFuzzingEngine' ||
        refuse_text build.sh "links -lFuzzingEngine instead of \$LIB_FUZZING_ENGINE"
}

check_keys() {
    local key keys
    keys=$(sed -n 's/^\([a-z_]*\):.*/\1/p' "$root/fuzz/oss-fuzz/project.yaml")
    for key in $keys; do
        case "$known_keys" in
        *" $key "*) ;;
        *) refuse_text project.yaml "OSS-Fuzz knows no key $key" || return ;;
        esac
    done
    for key in "${needed_keys[@]}"; do
        grep -qx "$key" <<<"$keys" || refuse_text project.yaml "has no $key" || return
    done
}

check_contact() {
    local contact
    contact=$(sed -n 's/^primary_contact: *//p' "$root/fuzz/oss-fuzz/project.yaml")
    case "$contact" in
    *?@?*.?*) ;;
    *) refuse_text project.yaml "primary_contact is no mail address: $contact" ;;
    esac
}

check_texts() {
    local file status=0
    for file in Dockerfile build.sh project.yaml; do
        check_licence "$file" || status=1
    done
    [ "$status" -eq 0 ] && check_engine_name && check_keys && check_contact
}
