# shellcheck shell=bash
# What the environment says, where things are, and what may not be in production. Sourced by deploy/bursar.

say() { printf '%s\n' "$*"; }
complain() { printf 'bursar: %s\n' "$*" >&2; }
die() {
  complain "$@"
  exit 1
}

# Reads the settings and makes them absolute and consistent. Sets HOME_DIR, PORT, MODE, CHAIN and EMBEDDED_{CHAIN,DB,SIGNER} (1 or empty).
read_settings() {
  HOME_DIR=${BURSAR_HOME:-$ROOT/.bursar}
  PORT=${BURSAR_PORT:-8080}
  MODE=${BURSAR_MODE:-development}
  [[ $HOME_DIR == /* ]] || HOME_DIR=$PWD/$HOME_DIR
  [[ $HOME_DIR != *[[:cntrl:]]* ]] || die "BURSAR_HOME has a control character in it, give a plain path"
  [[ $PORT =~ ^[1-9][0-9]{0,4}$ ]] && ((PORT <= 65535)) || die "BURSAR_PORT is \`$PORT\`, give a number from 1 to 65535"
  [[ $MODE == development || $MODE == production ]] || die "BURSAR_MODE is \`$MODE\`, give \`development\` or \`production\`"
  EMBEDDED_CHAIN='' EMBEDDED_DB='' EMBEDDED_SIGNER=''
  [[ -n ${BURSAR_RPC_URL:-} ]] || EMBEDDED_CHAIN=1
  [[ -n ${BURSAR_DB_URL:-} ]] || EMBEDDED_DB=1
  [[ -n ${BURSAR_SIGNER_SOCKET:-} ]] || EMBEDDED_SIGNER=1
  check_settings_agree
}

check_settings_agree() {
  CHAIN=${BURSAR_CHAIN:-}
  if [[ -n $EMBEDDED_CHAIN ]]; then
    [[ -z $CHAIN || $CHAIN == eip155:31337 || $CHAIN == 31337 ]] ||
      die "BURSAR_CHAIN is \`$CHAIN\` but BURSAR_RPC_URL is not set, set both or neither"
    CHAIN=eip155:31337
  else
    [[ -n $CHAIN ]] || die "BURSAR_RPC_URL is set but BURSAR_CHAIN is not, give the chain that the node serves, such as eip155:8453"
    [[ $CHAIN =~ ^[0-9]+$ ]] && CHAIN=eip155:$CHAIN
    [[ $CHAIN =~ ^eip155:[1-9][0-9]{0,18}$ ]] || die "BURSAR_CHAIN is \`$CHAIN\`, give it as eip155: and a number, such as eip155:8453"
  fi
  if [[ -z $EMBEDDED_DB ]]; then
    [[ $BURSAR_DB_URL == jdbc:postgresql:* ]] || die "BURSAR_DB_URL must begin with jdbc:postgresql:"
    [[ -n ${BURSAR_DB_USER:-} && -n ${BURSAR_DB_PASSWORD:-} ]] || die "BURSAR_DB_URL needs BURSAR_DB_USER and BURSAR_DB_PASSWORD too"
    [[ -z ${BURSAR_DB_MIGRATE_USER:-} || -n ${BURSAR_DB_MIGRATE_PASSWORD:-} ]] ||
      die "BURSAR_DB_MIGRATE_USER needs BURSAR_DB_MIGRATE_PASSWORD too"
  fi
  if [[ -z $EMBEDDED_SIGNER ]]; then
    [[ -n ${BURSAR_PERMIT_KEY:-} ]] || die "BURSAR_SIGNER_SOCKET is set, so BURSAR_PERMIT_KEY must name the file with the permit key of that signer"
    [[ -r $BURSAR_PERMIT_KEY ]] || die "BURSAR_PERMIT_KEY: cannot read \`$BURSAR_PERMIT_KEY\`"
  fi
  check_kek_settings
  if [[ -n ${BURSAR_ADMIN_KEY:-} ]] && ((${#BURSAR_ADMIN_KEY} < 24)); then
    die "BURSAR_ADMIN_KEY has ${#BURSAR_ADMIN_KEY} characters, give 24 or more"
  fi
  local LC_ALL=C
  [[ ${BURSAR_ADMIN_KEY:-} != *[!!-~]* ]] || die 'BURSAR_ADMIN_KEY has other characters than the printable ones of ASCII without spaces, which no client could send'
}

# The key encryption key: in a token, from a passphrase, or (for development) in a file that the signer makes.
check_kek_settings() {
  if [[ -n ${BURSAR_PKCS11_LIBRARY:-} ]]; then
    [[ -z ${BURSAR_SIGNER_PASSPHRASE_FILE:-} ]] || die "BURSAR_PKCS11_LIBRARY and BURSAR_SIGNER_PASSPHRASE_FILE exclude each other, set one"
    [[ -r $BURSAR_PKCS11_LIBRARY ]] || die "BURSAR_PKCS11_LIBRARY: cannot read \`$BURSAR_PKCS11_LIBRARY\`"
    [[ ${BURSAR_PKCS11_SLOT:-} =~ ^[0-9]+$ ]] || die "BURSAR_PKCS11_LIBRARY needs BURSAR_PKCS11_SLOT, the number of the token's slot"
    [[ -r ${BURSAR_PKCS11_PIN_FILE:-} ]] || die "BURSAR_PKCS11_LIBRARY needs BURSAR_PKCS11_PIN_FILE, a file with the token's PIN"
  elif [[ -n ${BURSAR_PKCS11_SLOT:-}${BURSAR_PKCS11_PIN_FILE:-} ]]; then
    die "BURSAR_PKCS11_SLOT and BURSAR_PKCS11_PIN_FILE need BURSAR_PKCS11_LIBRARY"
  elif [[ -n ${BURSAR_SIGNER_PASSPHRASE_FILE:-} ]]; then
    [[ -r $BURSAR_SIGNER_PASSPHRASE_FILE ]] || die "BURSAR_SIGNER_PASSPHRASE_FILE: cannot read \`$BURSAR_SIGNER_PASSPHRASE_FILE\`"
  fi
}

# The same as options of the signer, one a line; none for the key file.
kek_options() {
  if [[ -n ${BURSAR_PKCS11_LIBRARY:-} ]]; then
    printf '%s\n' --pkcs11-library "$BURSAR_PKCS11_LIBRARY" --pkcs11-slot "$BURSAR_PKCS11_SLOT" --pkcs11-pin-file "$BURSAR_PKCS11_PIN_FILE"
  elif [[ -n ${BURSAR_SIGNER_PASSPHRASE_FILE:-} ]]; then
    printf '%s\n' --passphrase-file "$BURSAR_SIGNER_PASSPHRASE_FILE"
  fi
}

# Every development default that is in force, each by name, all at once.
refuse_development_defaults() {
  [[ $MODE == production ]] || return 0
  local refused=()
  [[ -z $EMBEDDED_CHAIN ]] || refused+=("embedded chain: set BURSAR_RPC_URL and BURSAR_CHAIN")
  [[ -z $EMBEDDED_CHAIN && ${BURSAR_DEV:-} != true ]] || refused+=("faucet: it comes with the embedded chain, or with BURSAR_DEV=true")
  [[ -n ${BURSAR_ADMIN_KEY:-} ]] || refused+=("generated admin key: set BURSAR_ADMIN_KEY")
  [[ -z $EMBEDDED_SIGNER || -n $(kek_options) ]] ||
    refused+=("unencrypted key file: set BURSAR_PKCS11_LIBRARY, or by name BURSAR_SIGNER_PASSPHRASE_FILE, or run a signer of your own and set BURSAR_SIGNER_SOCKET")
  [[ -z $EMBEDDED_SIGNER || -e $HOME_DIR/signer || -n ${BURSAR_SIGNER_ROOT_SET:-} && -n ${BURSAR_SIGNER_CEILINGS:-} ]] ||
    refused+=("signer that believes the API: set BURSAR_SIGNER_ROOT_SET and BURSAR_SIGNER_CEILINGS")
  ((${#refused[@]})) || return 0
  complain "BURSAR_MODE=production refuses these development defaults:"
  printf '  %s\n' "${refused[@]}" >&2
  exit 1
}

# The data directory: made with mode 0700, or one that was made so before. Never narrows a directory that is used for something else.
prepare_home() {
  if [[ ! -e $HOME_DIR ]]; then
    (umask 077 && mkdir -p "$HOME_DIR") || die "cannot make \`$HOME_DIR\`, set BURSAR_HOME to a directory that can be made"
  fi
  [[ -d $HOME_DIR && -O $HOME_DIR && -w $HOME_DIR ]] || die "\`$HOME_DIR\` is not a directory that you own and may write to, set BURSAR_HOME"
  HOME_DIR=$(cd "$HOME_DIR" && pwd -P) || die "cannot enter \`$HOME_DIR\`"
  if [[ ! -d $HOME_DIR/run && -n $(ls -A "$HOME_DIR") ]]; then
    die "\`$HOME_DIR\` holds other things, give BURSAR_HOME a directory of its own"
  fi
  umask 077
  # 711 where a signer that may be running has a user of its own: it must get through to what is its.
  [[ $(stat -c %a "$HOME_DIR") == 711 ]] || chmod 700 "$HOME_DIR" && mkdir -p "$HOME_DIR/run" "$HOME_DIR/logs" || die "cannot write to \`$HOME_DIR\`"
  RUN=$HOME_DIR/run
  LOGS=$HOME_DIR/logs
}

# For commands that only look: the same names, nothing made.
locate_home() {
  [[ -d $HOME_DIR ]] && HOME_DIR=$(cd "$HOME_DIR" && pwd -P)
  RUN=$HOME_DIR/run
  LOGS=$HOME_DIR/logs
}

# A random text of 43 characters that needs no quoting.
random_text() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }

# Sets ADMIN_KEY; generates it once when the environment has none.
find_admin_key() {
  ADMIN_KEY=${BURSAR_ADMIN_KEY:-}
  [[ -z $ADMIN_KEY ]] || return 0
  local file=$HOME_DIR/admin.key
  if [[ ! -s $file ]]; then
    printf 'bursar_%s\n' "$(random_text)" >"$file.new" && mv "$file.new" "$file" || die "cannot write \`$file\`"
  fi
  read -r ADMIN_KEY <"$file"
  ((${#ADMIN_KEY} >= 24)) || die "\`$file\` holds no usable key, remove it to have another generated"
}

# Sets SIGNER_SOCKET. A socket's path may have about 100 bytes, so a long BURSAR_HOME gets a short private directory elsewhere.
find_signer_socket() {
  SIGNER_SOCKET=${BURSAR_SIGNER_SOCKET:-$RUN/signer.sock}
  [[ -n $EMBEDDED_SIGNER ]] || return 0
  (($(printf %s "$SIGNER_SOCKET" | wc -c) > 100)) || return 0
  local directory=''
  [[ -s $RUN/socket-directory ]] && read -r directory <"$RUN/socket-directory"
  if [[ ! -d $directory || -L $directory || ! -O $directory || $(stat -c %a "$directory") != 700 ]]; then
    directory=$(mktemp -d /tmp/bursar.XXXXXXXX) || die "cannot make a directory for the signer's socket below /tmp"
    printf '%s\n' "$directory" >"$RUN/socket-directory"
  fi
  SIGNER_SOCKET=$directory/signer.sock
}

port_is_taken() { (exec 9<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# free_port WANTED: that one, or any free one below the range of outgoing connections.
free_port() {
  local port=$1
  while port_is_taken "$port"; do
    port=$((15432 + RANDOM % 16384))
  done
  printf '%s' "$port"
}

# Sets CHAIN_PORT: the one used last, 8545, or any free one.
find_chain_port() {
  CHAIN_PORT=''
  [[ -n $EMBEDDED_CHAIN ]] || return 0
  mkdir -p "$HOME_DIR/chain"
  [[ -s $HOME_DIR/chain/port ]] && read -r CHAIN_PORT <"$HOME_DIR/chain/port"
  [[ $CHAIN_PORT =~ ^[1-9][0-9]{3,4}$ ]] || CHAIN_PORT=8545
  CHAIN_PORT=$(free_port "$CHAIN_PORT")
  printf '%s\n' "$CHAIN_PORT" >"$HOME_DIR/chain/port"
}

database_url() {
  if [[ -n $EMBEDDED_DB ]]; then
    printf 'jdbc:postgresql://127.0.0.1:%s/bursar' "$(cat "$HOME_DIR/postgres/port" 2>/dev/null)"
  else
    printf '%s' "$BURSAR_DB_URL"
  fi
}

rpc_url() {
  if [[ -n $EMBEDDED_CHAIN ]]; then
    printf 'http://127.0.0.1:%s' "$CHAIN_PORT"
  else
    printf '%s' "$BURSAR_RPC_URL"
  fi
}

# Where something is, without the parameters or credentials that a URL may carry.
public_part() {
  local url=${1%%\?*}
  [[ $url == *://*@* ]] && url=${url%%://*}://${url#*@}
  printf '%s' "$url"
}
