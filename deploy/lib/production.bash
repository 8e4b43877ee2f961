# shellcheck shell=bash
# `deploy/bursar demo --production`: what production mode refuses and what it needs, in a place of its own. Sourced by deploy/bursar.
#
# Nothing that production refuses is let through here. What a real installation gets from elsewhere is made first, outside of the
# home: an HSM (in software), a chain (a node of its own, reached by its URL alone), a root set and ceilings.

DEMO=''              # the directory that everything is below
CLEANER=''           # the process that removes it
NODE=''              # the wrapper of the chain's node
NODE_PORT=''
readonly DEVELOPMENT_DEFAULTS=('embedded chain' 'faucet' 'generated admin key' 'unencrypted key file' 'signer that believes the API')

demo_production() {
  forget_settings
  open_lifeline
  make_demo_directory
  say "Production mode, played on this machine. Everything is below $DEMO, and deleted at the end."
  show_refusals
  export BURSAR_HOME=$DEMO/home
  read_settings
  prepare_home
  install_tools 'the demo of production mode needs' softhsm2-util:softhsm2
  build_all                                     # the chain's program too, since no other node is set yet
  make_token
  start_node
  stage_production
  set_production
  prepare_run
  show_key_hierarchy
  say "Starting ${SERVICES[*]} …"
  DEMO_PLAY=(io.bursar.api.demo.ProductionDemo play "$DEMO")
  supervise play || exit 1
  [[ -z $STOP ]] || exit 130
  exit "${TASK_CODE:-1}"
}

# Whatever is set for the usual home must not reach this one, but for where the JDK is and which port to take.
forget_settings() {
  local name
  for name in $(compgen -e BURSAR_); do
    [[ $name == BURSAR_JAVA_HOME || $name == BURSAR_PORT ]] || unset "$name"
  done
}

# Beside the launcher stands a process that outlives it and removes the directory, so that a kill -9 leaves nothing either.
make_demo_directory() {
  DEMO=$(mktemp -d "${TMPDIR:-/tmp}/bursar-production.XXXXXXXX") || die "cannot make a directory in ${TMPDIR:-/tmp}"
  chmod 711 "$DEMO"                             # the signer's own user must get through to what is its
  (
    exec 3<&"$LIFE_READ" {LIFE_READ}<&- {LIFE_WRITE}>&-
    exec setsid bash -c "$(declare -f remove_when_over); remove_when_over \"\$1\"" cleaner "$DEMO" </dev/null >/dev/null 2>&1
  ) &
  CLEANER=$!
  trap end_demo EXIT
}

# In a process of its own: waits for the launcher's end, then for that of all that has the directory on its command line.
remove_when_over() {
  local directory=$1 file words tries left=1
  trap '' INT TERM HUP
  read -r _ <&3
  for ((tries = 0; left && tries < 300; tries++)); do        # PostgreSQL may take most of a minute
    left=''
    for file in /proc/[0-9]*/cmdline; do
      [[ $file != "/proc/$$/cmdline" ]] || continue
      { mapfile -d '' -t words <"$file"; } 2>/dev/null || continue
      [[ ${words[*]} != *"$directory"* ]] || left=1
    done
    [[ -z $left ]] || sleep 0.2
  done
  [[ ! -s $directory/home/run/socket-directory ]] || rm -rf "$(<"$directory/home/run/socket-directory")"
  rm -rf "$directory"
}

# Before the logs are gone, a failure shows their ends.
end_demo() {
  local code=$? log
  if ((code != 0)) && [[ -z $STOP ]]; then
    for log in "$DEMO"/home/logs/*.log; do
      [[ -s $log ]] && complain "the end of ${log##*/}:" && log_end "$log" 8 >&2
    done
  fi
  [[ -z $NODE ]] || RUN=$DEMO stop_held node "$NODE" 8
  exec {LIFE_WRITE}>&-
  while is_running "$CLEANER"; do wait "$CLEANER"; done
}

# step NAME ASKED ANSWERED PROOF: prints it as the play does, and hands it on to the play's table.
step() {
  printf '  %s: %s → %s; %s\n' "$@"
  printf '%s\t%s\t%s\t%s\n' "$@" >>"$DEMO/steps"
}

show_refusals() {
  local refusal code default
  say '  It is started with nothing set but BURSAR_MODE=production. Each default of development is refused by name:'
  refusal=$(
    exec {LIFE_READ}<&- {LIFE_WRITE}>&-
    BURSAR_MODE=production BURSAR_HOME=$DEMO/home exec "$0" up </dev/null 2>&1
  )
  code=$?
  printf '%s\n' "$refusal" | sed 's/^/    /'
  ((code == 1)) && [[ ! -e $DEMO/home ]] || die "production did not refuse to start with the defaults of development"
  for default in "${DEVELOPMENT_DEFAULTS[@]}"; do
    [[ $refusal == *"  $default: "* ]] || die "production did not refuse by name: $default"
  done
  step 'the defaults of development' 'BURSAR_MODE=production up' 'refused' "${#DEVELOPMENT_DEFAULTS[@]} named, nothing made"
}

softhsm_library() {
  local library
  for library in /usr/lib/softhsm /usr/lib/*/softhsm /usr/lib64/softhsm /usr/lib64/pkcs11 /usr/local/lib/softhsm; do
    [[ ! -r $library/libsofthsm2.so ]] || { printf '%s' "$library/libsofthsm2.so" && return; }
  done
  return 1
}

# A token in an HSM of this demo alone. Its objects and the PIN belong to whom the signer will run as.
make_token() {
  local hsm=$DEMO/hsm said problem
  BURSAR_PKCS11_LIBRARY=$(softhsm_library) || die "there is softhsm2-util, but no libsofthsm2.so where it usually is"
  say '  An HSM: SoftHSM with a token of its own. Only who knows the PIN can use what is in it, and its keys never come out.'
  mkdir -p "$hsm/tokens"
  printf '%s\n' "directories.tokendir = $hsm/tokens" 'objectstore.backend = file' 'log.level = ERROR' >"$hsm/softhsm2.conf"
  random_text >"$hsm/pin"
  if ((EUID == 0)); then
    make_signer_user && chown -R "$SIGNER_USER": "$hsm" || die "$problem"
  fi
  export SOFTHSM2_CONF=$hsm/softhsm2.conf
  # The tool takes PINs from a terminal or so. These are for a token that nobody else can reach and that is gone in a minute.
  said=$(
    ((EUID != 0)) || use_signer_user
    "${AS_SIGNER[@]}" softhsm2-util --init-token --free --label bursar --so-pin "$(random_text)" --pin "$(<"$hsm/pin")" 2>&1
  )
  [[ $said =~ 'reassigned to slot '([0-9]+) ]] || die "cannot initialise a token: $said"
  BURSAR_PKCS11_SLOT=${BASH_REMATCH[1]}
  BURSAR_PKCS11_PIN_FILE=$hsm/pin
  export BURSAR_PKCS11_LIBRARY BURSAR_PKCS11_SLOT BURSAR_PKCS11_PIN_FILE
  step 'a token is initialised' 'softhsm2-util --init-token' "slot $BURSAR_PKCS11_SLOT" "PIN in a file of mode $(stat -c %a "$hsm/pin")"
}

run_node() { hold node 8 node "$DEVCHAIN/chain.mjs" --home "$DEMO/chain" --port "$NODE_PORT"; }

# The chain, which is none of the launcher's services: they know its URL.
start_node() {
  local deadline=$((SECONDS + 90)) log=$LOGS/node.log
  say '  A chain: a node of its own, which the service knows by its URL alone, with the USDC that Circle publishes.'
  NODE_PORT=$(free_port 8545)
  RUN=$DEMO start_held node 8 run_node >"$log" 2>&1
  NODE=$HELD
  until grep -qx ready "$log"; do
    nap
    [[ -z $STOP ]] || exit 130
    is_running "$NODE" && ((SECONDS < deadline)) || die "the chain's node does not start"
  done
  export BURSAR_RPC_URL=http://127.0.0.1:$NODE_PORT BURSAR_CHAIN=eip155:31337
}

# What must be there before the service: the token on the chain, and what the signer is given once.
stage_production() {
  say '  Root keys, two of two, and ceilings of 50 USDC a spend: without them the signer does not start in production.'
  BURSAR_STABLECOIN_ARTIFACTS=$(stablecoin_artifacts) "$JDK/bin/java" -Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
    -cp "$(api_class_path)" io.bursar.api.demo.ProductionDemo stage "$DEMO" </dev/null
  local code=$?
  [[ -z $STOP ]] || exit 130
  ((code == 0)) || die "cannot prepare the chain"
  chmod 644 "$DEMO/root-set.json" "$DEMO/ceilings.json"      # public keys and limits; the signer's own user reads them
}

set_production() {
  export BURSAR_MODE=production BURSAR_CONFIRMATIONS=3
  export BURSAR_SIGNER_ROOT_SET=$DEMO/root-set.json BURSAR_SIGNER_CEILINGS=$DEMO/ceilings.json
  BURSAR_ADMIN_KEY=bursar_$(random_text)
  BURSAR_PORT=${BURSAR_PORT:-$(free_port 8080)}
  export BURSAR_ADMIN_KEY BURSAR_PORT
}

# The signer's home is made by now.
show_key_hierarchy() {
  local status objects
  say '  The signer makes the key encryption key inside the token; each key of a wallet will be encrypted under it.'
  status=$(keys status 2>&1)
  objects=$(find "$DEMO/hsm/tokens" -name '*.object' ! -name token.object | wc -l)
  [[ $status == *" pkcs11 $BURSAR_PKCS11_LIBRARY slot $BURSAR_PKCS11_SLOT"* ]] || die "the key encryption key is not in the token: $status"
  ((objects == 1)) && [[ ! -e $HOME_DIR/signer/kek.key ]] || die "the token holds $objects objects instead of the key encryption key alone"
  step 'their key is made in the token' 'keys status' 'pkcs11, version 1' 'one key in the token, none on the disk'
}
