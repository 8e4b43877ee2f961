# shellcheck shell=bash
# Starting, watching and stopping processes. Sourced by deploy/bursar.
#
# Every process is held by lib/hold, which reads a pipe. Only this shell has the pipe's other end, so when this shell ends, in
# whatever way, everything that it started ends too.

STOP=''              # the signal that asked us to stop
FORCE=''             # set by the second one
TASK=''              # the wrapper of a task that ends the whole run (demo), if there is one
TASK_CODE=''
declare -A WRAPPER=() STATE=() STARTED=() DEATHS=() NEXT=() OFFSET=()
SERVICES=()          # in the order of starting; set by choose_services
API_DATABASE=''      # the database URL that the API was started with

open_lifeline() {
  [[ -z ${LIFE_READ:-} ]] || return 0
  local fifo both
  fifo=$(mktemp -u "${TMPDIR:-/tmp}/bursar-XXXXXXXX")
  mkfifo -m 600 "$fifo" || die "cannot make a pipe in ${TMPDIR:-/tmp}"
  exec {both}<>"$fifo" {LIFE_READ}<"$fifo" {LIFE_WRITE}>"$fifo"
  exec {both}>&-
  rm -f "$fifo"
  trap 'signalled INT' INT
  trap 'signalled TERM' TERM
  trap 'signalled HUP' HUP
}

# The second signal means: now.
signalled() {
  [[ -z $STOP ]] || FORCE=1
  STOP=${STOP:-$1}
}

# A fifth of a second without starting a process: nothing ever comes through this pipe.
nap() { read -rt 0.2 -u "$LIFE_READ" _; }

# start_held NAME GRACE COMMAND...: sets HELD to the wrapper's process id. COMMAND may be a shell function that ends in hold.
start_held() {
  local name=$1 grace=$2
  shift 2
  (
    exec 3<&"$LIFE_READ" {LIFE_READ}<&- {LIFE_WRITE}>&- </dev/null
    [[ -z ${LOCK:-} ]] || exec {LOCK}>&-
    trap - INT TERM HUP
    if [[ $(type -t "$1") == function ]]; then
      "$1"
    else
      hold "$name" "$grace" "$@"
    fi
  ) &
  HELD=$!
}

# Becomes the wrapper of a command; called in a process of its own.
hold() { exec setsid "$ROOT/deploy/lib/hold" "$RUN/$1.pid" "${@:2}"; }

is_running() { kill -0 "$1" 2>/dev/null; }

# stop_held NAME WRAPPER GRACE: asks, waits, insists.
stop_held() {
  local name=$1 wrapper=$2 deadline=$((SECONDS + $3 + 5))
  kill -TERM "$wrapper" 2>/dev/null
  while is_running "$wrapper" && ((SECONDS < deadline)) && [[ -z $FORCE ]]; do nap; done
  is_running "$wrapper" && kill_rest "$name" "$wrapper"
  wait "$wrapper" 2>/dev/null
}

# kill_rest NAME WRAPPER: when a wrapper was killed, or must be, its service may still run. Each leads a session of its own.
kill_rest() {
  local pid=''
  kill -KILL -- "-$2" 2>/dev/null
  [[ -s $RUN/$1.pid ]] && read -r pid <"$RUN/$1.pid"
  [[ -n $pid ]] && kill -KILL -- "-$pid" 2>/dev/null
  rm -f "$RUN/$1.pid"
}

lock_home() {
  exec {LOCK}>"$RUN/lock"
  flock -w 1 "$LOCK" && return          # longer than `status` holds it to look
  exec {LOCK}>&-
  return 1
}

launcher_pid() { cat "$RUN/launcher.pid" 2>/dev/null; }

# True while a launcher runs on this home.
is_locked() {
  [[ -e $RUN/lock ]] || return 1
  ! (flock -n 9) 9<"$RUN/lock"
}

# Ends what an earlier run left, should its launcher and a wrapper have been killed in the same moment. A process counts as ours
# only if this very home stands on its command line.
sweep() {
  local file pid
  for file in "$RUN"/*.pid; do
    [[ -e $file && $file != */launcher.pid ]] || continue
    read -r pid <"$file"
    if [[ $pid =~ ^[0-9]+$ ]] && { tr '\0' '\n' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF -- "$HOME_DIR"; then
      complain "ending process $pid, left by an earlier run"
      kill -KILL -- "-$pid" 2>/dev/null || kill -KILL "$pid" 2>/dev/null
    fi
    rm -f "$file"
  done
}

rotate_logs() {
  local log
  for log in "$LOGS"/*.log; do
    [[ -f $log ]] || continue
    if (($(wc -c <"$log") > 50 * 1024 * 1024)); then mv -f "$log" "$log.1"; fi
  done
}

set_state() {
  STATE[$1]=$2
  printf '%s %s\n' "$2" "$(printf '%(%s)T' -1)" >"$RUN/$1.state"
}

# True if the service printed `ready` since it was started.
printed_ready() { tail -c "+$((OFFSET[$1] + 1))" "$LOGS/$1.log" 2>/dev/null | grep -qx ready; }

start_service() {
  local name=$1
  : >>"$LOGS/$name.log"
  OFFSET[$name]=$(wc -c <"$LOGS/$name.log")
  [[ $name != api ]] || API_DATABASE=$(database_url)
  start_held "$name" 0 "run_$name" >>"$LOGS/$name.log" 2>&1
  WRAPPER[$name]=$HELD
  STARTED[$name]=$SECONDS
  set_state "$name" starting
}

service_died() {
  local name=$1 code
  { wait "${WRAPPER[$name]}"; } 2>/dev/null          # bash would print the whole command of what was killed
  code=$?
  kill_rest "$name" "${WRAPPER[$name]}"
  if ((SECONDS - STARTED[$name] >= 10)); then DEATHS[$name]=0; fi
  local deaths=$((DEATHS[$name] + 1)) pause=0
  DEATHS[$name]=$deaths
  if ((deaths > 1)); then pause=$((deaths > 6 ? 30 : 1 << (deaths - 2))); fi
  NEXT[$name]=$((SECONDS + pause))
  set_state "$name" restarting
  complain "$name ended (exit code $code), starting it again$( ((pause)) && printf ' in %s s' "$pause")"
  if ((deaths > 1)); then
    complain "the end of $LOGS/$name.log:"
    log_end "$LOGS/$name.log" 8 "${OFFSET[$name]}" >&2
  fi
}

bytes_of() { stat -c %s "$1" 2>/dev/null || echo 0; }

# log_end FILE LINES [BYTES]: for a message, without the first bytes, which are of an earlier run; long lines are cut.
log_end() { tail -c "+$((${3:-0} + 1))" "$1" | tail -n "$2" | cut -c 1-300 | sed 's/^/    /'; }

all_up() {
  local name
  for name in "$@"; do [[ ${STATE[$name]:-} == up ]] || return 1; done
}

# One look at one service.
watch_service() {
  local name=$1
  case ${STATE[$name]:-} in
    starting)
      if ! is_running "${WRAPPER[$name]}"; then
        service_died "$name"
      elif "ready_$name"; then
        set_state "$name" up
        [[ -n $EVER_UP ]] || say "  $name ready after $((SECONDS - STARTED[$name])) s"
      elif ((SECONDS - STARTED[$name] > READY_SECONDS[$name])); then
        complain "$name is not ready after ${READY_SECONDS[$name]} s"
        stop_held "$name" "${WRAPPER[$name]}" 5
        service_died "$name"
      fi
      ;;
    up) is_running "${WRAPPER[$name]}" || service_died "$name" ;;
    restarting) ((SECONDS < NEXT[$name])) || start_service "$name" ;;
    waiting) all_up "${SERVICES[@]:0:${#SERVICES[@]}-1}" && start_service "$name" ;;
  esac
}

# The database has moved to another port (its own was taken while it was down): the API must hear of it.
move_api() {
  [[ -n $EMBEDDED_DB && ${STATE[api]} == up && ${STATE[postgres]} == up && $(database_url) != "$API_DATABASE" ]] || return 0
  complain "PostgreSQL is on another port now, starting the API again"
  stop_held api "${WRAPPER[api]}" 20
  start_service api
  write_instance
}

# Runs everything until a signal comes or the task ends. $1: function to call once, when all is up.
supervise() {
  local when_up=$1 name beat
  EVER_UP=''
  beat=$SECONDS
  for name in "${SERVICES[@]}"; do DEATHS[$name]=0; done
  for name in "${SERVICES[@]:0:${#SERVICES[@]}-1}"; do start_service "$name"; done
  set_state api waiting
  while [[ -z $STOP ]]; do
    for name in "${SERVICES[@]}"; do
      watch_service "$name"
      if [[ -z $EVER_UP ]] && ((DEATHS[$name] >= 3)); then
        complain "$name does not start, giving up"
        stop_all
        return 1
      fi
    done
    if [[ -z $EVER_UP ]] && all_up "${SERVICES[@]}"; then
      EVER_UP=1
      write_instance
      echo up >"$RUN/launcher.state"
      "$when_up"
    fi
    if [[ -z $EVER_UP ]] && ((SECONDS - beat >= 5)); then
      beat=$SECONDS
      say "  … waiting for$(for name in "${SERVICES[@]}"; do all_up "$name" || printf ' %s' "$name"; done)"
    fi
    move_api
    if [[ -n $TASK ]] && ! is_running "$TASK"; then
      wait "$TASK"
      TASK_CODE=$?
      break
    fi
    nap
  done
  stop_all
}

# The API first, so that it can finish what it does; then the signer and the chain; the database last.
stop_all() {
  local name
  [[ -z $TASK ]] || { is_running "$TASK" && stop_held task "$TASK" 5; }
  for name in api signer chain postgres; do
    [[ -n ${WRAPPER[$name]:-} ]] || continue
    if is_running "${WRAPPER[$name]}"; then stop_held "$name" "${WRAPPER[$name]}" "${STOP_SECONDS[$name]}"; fi
    rm -f "$RUN/$name.state"
  done
  rm -f "$RUN/launcher.pid" "$RUN/launcher.state" "$RUN/instance"
}
