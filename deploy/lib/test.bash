# shellcheck shell=bash
# `deploy/bursar test`. Sourced by deploy/bursar.

# What the tests run, and the Debian package that has it.
readonly TEST_TOOLS=(setsid:util-linux flock:util-linux unshare:util-linux node:nodejs npm:npm mvn:maven openssl:openssl softhsm2-util:softhsm2)

# install_tools WHO_NEEDS TOOL:PACKAGE...: as root installs the packages of those that are not there, else names them.
install_tools() {
  local needs=$1 tool missing=()
  shift
  for tool in "$@"; do
    command -v "${tool%%:*}" >/dev/null || missing+=("${tool#*:}")
  done
  ((${#missing[@]})) || return 0
  mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
  if ((EUID == 0)) && command -v apt-get >/dev/null; then
    say "Installing ${missing[*]} …"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"; } >"$LOGS/apt.log" 2>&1 ||
      die "cannot install ${missing[*]}, see $LOGS/apt.log"
  else
    die "$needs these Debian packages, install them first: ${missing[*]}"
  fi
}

# Nothing may be left out: neither by a setting that Maven reads, nor by a test that skips itself.
refuse_skipping() {
  local setting
  for setting in "${MAVEN_ARGS:-}" "${MAVEN_OPTS:-}" "${JAVA_TOOL_OPTIONS:-}"; do
    [[ $setting != *[sS]kip* ]] || die "\`$setting\` would leave tests out, unset it"
  done
}

# count_tests BEGAN ATTRIBUTE: the sum over all reports written since the file BEGAN.
count_tests() {
  find "$ROOT" -path '*/target/*-reports/TEST-*.xml' -newer "$1" -exec sed -n "/<testsuite /{s/.* $2=\"\([0-9]*\)\".*/\1/p;q}" {} \; |
    awk '{ sum += $1 } END { print sum + 0 }'
}

run_tests() {
  read_settings
  refuse_skipping
  prepare_home
  open_lifeline
  install_tools 'the tests need' "${TEST_TOOLS[@]}"
  find_jdk
  require_maven
  require_node
  local file
  while IFS= read -r file; do
    install_npm "$(dirname "$file")"
  done < <(find "$ROOT/deploy" "$ROOT/openapi" -name node_modules -prune -o -name package.json -print 2>/dev/null)

  say "Testing the launcher …"
  "$ROOT/deploy/test/launcher-test" || die "the launcher's tests failed"

  say "Testing everything with Maven …"
  local began code skipped
  began=$RUN/test-began
  : >"$began"
  start_held task 10 run_maven_verify
  while is_running "$HELD"; do
    nap
    [[ -z $STOP ]] || stop_held task "$HELD" 10
  done
  wait "$HELD"
  code=$?
  [[ -z $STOP ]] || exit 130
  ((code == 0)) || exit "$code"
  skipped=$(count_tests "$began" skipped)
  ((skipped == 0)) || die "$skipped tests were skipped"
  say "All $(count_tests "$began" tests) tests passed."
  mv "$began" "$(built_stamp)"
}

run_maven_verify() {
  forget_secrets
  unset BURSAR_HOME BURSAR_PORT BURSAR_MODE BURSAR_DB_URL BURSAR_CHAIN BURSAR_SIGNER_SOCKET BURSAR_PERMIT_KEY
  export JAVA_HOME=$JDK BURSAR_ANVIL BURSAR_STABLECOIN_ARTIFACTS
  BURSAR_ANVIL=$(find "$DEVCHAIN"/node_modules/@foundry-rs -path '*/bin/anvil' -type f | head -n 1)
  BURSAR_STABLECOIN_ARTIFACTS=$(stablecoin_artifacts)
  hold task 10 mvn -f "$ROOT/pom.xml" verify
}
