#!/usr/bin/env bash
# Finds what the tests need besides Python packages, or fetches it where this user may install packages:
# a Chromium for the browser tests, a PostgreSQL server for the database tests, a font for reports in Chinese.
# A thing that is neither there nor to be had ends the run: a skipped test proves nothing.
set -euo pipefail

have_browser() { [ -n "${CORELAB_CHROMIUM:-}" ] || command -v chromium || command -v chromium-browser || command -v google-chrome; }
have_postgres() { command -v initdb || ls /usr/lib/postgresql/*/bin/initdb /usr/local/opt/postgresql*/bin/initdb; }
have_chinese_font() { if command -v fc-list; then fc-list :lang=zh-cn | grep -q .; else [ "$(uname)" != Linux ]; fi; }

install_package() {
    local package=$1
    if ! command -v apt-get >/dev/null; then return 1; fi
    local root=()
    if [ "$(id -u)" -ne 0 ]; then root=(sudo -n); fi
    "${root[@]}" apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive "${root[@]}" apt-get install -y -qq "$package" >/dev/null
}

need() {
    local what=$1 probe=$2 package=$3
    if "$probe" >/dev/null 2>&1; then return; fi
    echo "fetching $what (package $package)"
    if install_package "$package" && "$probe" >/dev/null 2>&1; then return; fi
    echo "error: no $what found and none could be installed; install it (Debian: $package) and run again" >&2
    exit 1
}

need "a Chromium browser" have_browser chromium
need "a PostgreSQL server" have_postgres postgresql
need "a font for Chinese" have_chinese_font fonts-wqy-microhei
