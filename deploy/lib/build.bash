# shellcheck shell=bash
# Finding the tools and building what is not built or older than its sources. Sourced by deploy/bursar.

readonly JAVA_WANTED=25
readonly DEVCHAIN=$ROOT/deploy/devchain

java_version_of() { sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release" 2>/dev/null; }

# Sets JDK to the first JDK of the wanted version or later.
find_jdk() {
  local candidate version
  [[ -z ${BURSAR_JAVA_HOME:-} || -x $BURSAR_JAVA_HOME/bin/javac ]] || die "BURSAR_JAVA_HOME: there is no JDK in \`$BURSAR_JAVA_HOME\`"
  for candidate in "${BURSAR_JAVA_HOME:-}" "${JAVA_HOME:-}" /usr/lib/jvm/* /opt/* /opt/java/* "${HOME:-/nonexistent}"/.sdkman/candidates/java/* \
    /Library/Java/JavaVirtualMachines/*/Contents/Home; do
    [[ -n $candidate && -x $candidate/bin/javac ]] || continue
    version=$(java_version_of "$candidate")
    if ((${version:-0} >= JAVA_WANTED)); then
      JDK=$candidate
      return
    fi
  done
  die "no JDK $JAVA_WANTED or later found, install one or set BURSAR_JAVA_HOME to it"
}

# at_least 3.8.7 3.8
at_least() { [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

require_maven() {
  command -v mvn >/dev/null || die "mvn not found, install Maven 3.8 or later"
  local version
  version=$(JAVA_HOME=$JDK mvn -v 2>/dev/null | sed -n 's/\x1b\[[0-9;]*m//g; s/^Apache Maven \([0-9.]*\).*/\1/p')
  at_least "${version:-0}" 3.8 || die "mvn is version ${version:-unknown}, install Maven 3.8 or later"
}

require_node() {
  local tool
  for tool in node npm; do
    command -v $tool >/dev/null || die "$tool not found, install Node.js 18 or later with npm"
  done
  local version
  version=$(node --version)
  at_least "${version#v}" 18 || die "node is version ${version#v}, install Node.js 18 or later"
}

built_stamp() { printf '%s' "$ROOT/wallet-api/target/.built"; }

is_built() {
  local stamp
  stamp=$(built_stamp)
  [[ -e $stamp && -e $ROOT/deploy/verifier/target/bursar-verify-all.jar && -e $ROOT/wallet-api/target/wallet-api.jar && -e $ROOT/wallet-signer/target/wallet-signer.jar ]] || return 1
  [[ -z $(find "$ROOT/pom.xml" "$ROOT/.mvn" "$ROOT"/wallet-*/pom.xml "$ROOT"/wallet-*/src/main "$ROOT"/deploy/verifier/{pom.xml,src/main} "$ROOT/openapi" \
    -newer "$stamp" -print -quit 2>/dev/null) ]]
}

# What Maven does at the moment, from its log: the module and the step.
maven_activity() {
  local module step
  module=$(sed -n 's/^\[INFO\] Building \([a-zA-Z0-9-]*\) .*/\1/p' "$1" | tail -n 1)
  step=$(sed -n 's/^\[INFO\] --- \([a-z-]*\)[^ ]*:\([a-z-]*\) (.*/\1 \2/p' "$1" | sed 's/maven-//; s/-plugin//' | tail -n 1)
  printf '%s' "${module:-starting}${step:+, $step}"
}

# run_with_heartbeat LOG ACTIVITY_FUNCTION COMMAND...: output to LOG, one line about progress every five seconds.
run_with_heartbeat() {
  local log=$1 activity=$2 began=$SECONDS beat=$SECONDS
  shift 2
  start_held task 5 "$@" >"$log" 2>&1
  while is_running "$HELD"; do
    nap
    [[ -z $STOP ]] || stop_held task "$HELD" 5
    if ((SECONDS - beat >= 5)); then
      beat=$SECONDS
      say "  … $((SECONDS - began)) s: $($activity "$log")"
    fi
  done
  wait "$HELD"
}

build_all() {
  find_jdk
  once "$ROOT/pom.xml" is_built build_java
  once "$ROOT/pom.xml" has_quick_start prepare_quick_start
  [[ -z $EMBEDDED_CHAIN ]] || install_npm "$DEVCHAIN"
}

# once FILE IS_DONE DO [ARGUMENT]: does it unless it is done, and no two processes at a time; whoever has waited finds it done.
once() {
  local file=$1 is_done=$2 do=$3 lock
  shift 3
  "$is_done" "$@" && return
  exec {lock}<"$file"
  flock -n "$lock" || { say "Waiting for another build of this checkout …" && flock "$lock"; }
  "$is_done" "$@" || "$do" "$@"
  exec {lock}<&-
}

build_java() {
  require_maven
  say "Building with Maven (log: $LOGS/build.log) …"
  local stamp began=$SECONDS
  stamp=$RUN/build-began
  : >"$stamp"
  if ! JAVA_HOME=$JDK run_with_heartbeat "$LOGS/build.log" maven_activity mvn -f "$ROOT/pom.xml" -DskipTests package; then
    [[ -z $STOP ]] || exit 130
    grep -E '^\[ERROR\]' "$LOGS/build.log" | head -n 20 >&2
    die "the build failed, see $LOGS/build.log"
  fi
  mv "$stamp" "$(built_stamp)"
  say "Built in $((SECONDS - began)) s."
}

quick_start_cache() { printf '%s' "$ROOT/wallet-api/target/wallet-api.aot"; }
has_quick_start() {
  [[ -s $(quick_start_cache) && -z $(find "$ROOT/wallet-api/target/wallet-api.jar" "$ROOT/wallet-api/target/lib" -newer "$(quick_start_cache)" -print -quit) ]]
}
quick_start_activity() { printf 'loading what it loads when it starts'; }

# Lets the service load its classes once and keeps them as the JVM has them then (JEP 514): it starts in half the time, also after a crash.
# Without it, it starts all the same.
prepare_quick_start() {
  local cache nowhere=127.0.0.1:9
  say "Preparing a quick start (log: $LOGS/quick-start.log) …"
  cache=$(quick_start_cache)
  # It ends before it would connect to anything; none of the settings of who starts it apply.
  run_with_heartbeat "$LOGS/quick-start.log" quick_start_activity timeout 120 env -i PATH="$PATH" BURSAR_HOME="$RUN" BURSAR_PORT=1 \
    BURSAR_DB_URL="jdbc:postgresql://$nowhere/none" BURSAR_DB_USER=none BURSAR_DB_PASSWORD=none BURSAR_ADMIN_KEY=none-none-none-none-none-none-none-none \
    BURSAR_SIGNER_SOCKET="$RUN/none" BURSAR_PERMIT_KEY="$RUN/none" BURSAR_RPC_URL="http://$nowhere" BURSAR_CHAIN=eip155:31337 \
    "$JDK/bin/java" "${API_FLAGS[@]}" -XX:AOTCacheOutput="$cache.part" -Dspring.context.exit=onRefresh -cp "$(api_class_path)" io.bursar.api.WalletApi || true
  [[ -z $STOP ]] || exit 130
  if [[ -s $cache.part ]]; then
    mv "$cache.part" "$cache"
  else
    say "  … it could not be prepared; the service takes some seconds longer to start."
  fi
}

npm_activity() { printf 'npm'; }
# With the folder after it.
readonly NPM_CI=(npm ci --ignore-scripts --no-audit --no-fund --prefix)

# Installs exactly what the lock file of a folder says, if that is not there already.
install_npm() { once "$1/package.json" has_npm_packages install_npm_packages "$1"; }
has_npm_packages() { [[ $1/node_modules/.package-lock.json -nt $1/package-lock.json ]]; }
install_npm_packages() {
  local folder=$1
  require_node
  say "Installing npm packages of ${folder#"$ROOT/"} …"
  if ! run_with_heartbeat "$LOGS/npm.log" npm_activity "${NPM_CI[@]}" "$folder"; then
    [[ -z $STOP ]] || exit 130
    grep -E '^npm error' "$LOGS/npm.log" | head -n 8 >&2
    die "npm failed, see $LOGS/npm.log"
  fi
  touch "$folder/node_modules/.package-lock.json"
}

bench_class_path() { printf '%s' "$ROOT/wallet-api/target/bench.classpath"; }

# Builds the tests' classes, which the benches run, if they are older than their sources.
build_bench_classes() {
  local classes
  classes=$(bench_class_path)
  [[ -s $classes && -z $(find "$ROOT/pom.xml" "$ROOT"/wallet-*/{pom.xml,src} "$ROOT"/deploy/verifier/{pom.xml,src} -newer "$classes" -print -quit) ]] ||
    JAVA_HOME=$JDK mvn -q -f "$ROOT/pom.xml" -pl wallet-api -am -DskipTests package dependency:build-classpath \
      -Dmdep.outputFile=target/bench.classpath -Dmdep.includeScope=test
}

# The development chain, for a bench that pays on it.
install_bench_chain() {
  has_npm_packages "$DEVCHAIN" && return
  require_node
  "${NPM_CI[@]}" "$DEVCHAIN" >&2 || die "npm failed"
  touch "$DEVCHAIN/node_modules/.package-lock.json"
}

# run_test_class [JAVA_OPTION...] CLASS ARGUMENT...: runs a class of wallet-api's tests.
run_test_class() {
  (cd "$ROOT/wallet-api" && exec "$JDK/bin/java" -cp "target/test-classes:target/classes:$(cat "$(bench_class_path)")" "$@")
}
