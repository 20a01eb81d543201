#!/bin/sh
# Runs the tests that have Erlang nodes with the OTP of another Debian: make test-otp OTP=27 [ARGS="-k ticks"]
# As root, with debootstrap. Its erl and erlc run in a root folder of their own, which is kept in $OTP_ROOTS; they see
# our /tmp and this folder. epmd and FreeSWITCH stay ours; C nodes and Java nodes are skipped. Left out is what this OTP
# is not meant for: Debian's Elixir, and with OTP 23 its node's entry in an epmd that was started anew.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
without='--deselect tests/peers/test_tutorial.py::test_in_the_simulated_switch[elixir]
    --deselect tests/peers/test_tutorial.py::test_what_the_handler_plays_is_heard[elixir-simulated]'
case ${1:-} in
23)
    release=bullseye
    for test in 'test_the_next_epmd_has_them_again[stop-simulated]' 'test_the_next_epmd_has_them_again[kill9-simulated]' \
        'test_the_switch_restarts[simulated]'; do
        without="$without --deselect tests/peers/test_epmd_builtin.py::$test"
    done
    ;;
25) release=bookworm ;;
27) release=trixie ;;
29) release=sid ;;
*) echo "OTP=23, 25, 27 or 29" >&2; exit 2 ;;
esac
otp=$1
shift
root=${OTP_ROOTS:-/var/cache/mod_erlang_py}/otp-$otp
if [ ! -e "$root/.installed" ]; then
    echo "Installing OTP $otp, of Debian $release, into $root"
    rm -rf "$root"
    debootstrap --variant=minbase --include=erlang-base,erlang-crypto,erlang-mnesia,erlang-ssl "$release" "$root" >/dev/null
    cp /etc/hosts "$root/etc/"
    touch "$root/.installed"
fi
# A root folder that was made before TLS was tried.
ls -d "$root"/usr/lib/erlang/lib/ssl-* >/dev/null 2>&1 || {
    echo "Installing erlang-ssl into $root"
    chroot "$root" sh -c 'apt-get update -qq && apt-get install -qq -y --no-install-recommends erlang-ssl' >/dev/null
}
mkdir -p "$root/programs" "$root/tmp" "$root/proc" "$root$here"
for program in erl erlc; do
    cat >"$root/programs/$program" <<END
#!/bin/sh
exec unshare --mount --propagation private sh -c '
    mount --bind /tmp "$root/tmp" && mount --bind "$here" "$root$here" && mount --rbind /proc "$root/proc" &&
    mount --rbind /dev "$root/dev" && folder=\$PWD && exec chroot "$root" /usr/bin/env -C "\$folder" $program "\$@"
' sh "\$@"
END
    chmod +x "$root/programs/$program"
done
cd "$here"
# shellcheck disable=SC2086  # words of their own
PATH=$root/programs:$PATH exec .venv/bin/python -m pytest tests/peers -m "not freeswitch" $without "$@"
