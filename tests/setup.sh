#!/usr/bin/env bash
# Installs the Debian packages the tests use as oracles and exporters. Without the right to install, the tests that need them skip
# and say so; in CI that is a failure.
set -euo pipefail
packages=(tshark softflowd pmacct fprobe nfdump argus-server argus-client zstd postgresql)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -eq 0 ]; then as_root=(); elif command -v sudo >/dev/null; then as_root=(sudo); else
    echo "tests: cannot install ${missing[*]} without root; run: apt-get install ${missing[*]}" >&2
    [ -z "${CI:-}" ]; exit
fi
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
