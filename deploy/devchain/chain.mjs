// The development chain as a service: anvil, with its state kept in one file that is always whole and never grows without end.
//
//   node chain.mjs --home DIR --port PORT
//
// Prints `ready` once blocks are made. Ends with 0 after SIGTERM, with 1 when anvil ends by itself or the state cannot be read.
// Why this and not anvil's own --state: see README.md beside this file.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';

const CHAIN_ID = 31337;
const BLOCK_SECONDS = 1;
const IDLE_SAVE_MS = 60_000;          // empty blocks are worth little: a crash may take back as many
const SAVE_SHARE = 20;                // at most one part in so many of the time is spent on saving
const COMPACT_ABOVE_BYTES = 32 << 20; // about five hours of empty blocks
const KEEP_RECENT_BLOCKS = 2_000;
const KEEP_BLOCKS_WITH_TRANSACTIONS = 20_000;

const log = (text) => console.log(`${new Date().toISOString()} ${text}`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function options(args) {
  const given = new Map();
  for (let i = 0; i < args.length; i += 2) given.set(args[i], args[i + 1]);
  const home = given.get('--home');
  const port = Number(given.get('--port'));
  if (!home || !Number.isInteger(port) || port < 1 || port > 65535) {
    console.error('usage: node chain.mjs --home DIR --port PORT');
    process.exit(2);
  }
  return { state: path.join(home, 'state.json'), port, home };
}

/** The program of this platform. */
function anvilProgram() {
  const cpu = { x64: 'amd64', arm64: 'arm64' }[process.arch];
  const name = `@foundry-rs/anvil-${process.platform}-${cpu ?? process.arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/bin/anvil`);
  } catch {
    fail(`${name} is not installed; run npm ci in deploy/devchain, or set BURSAR_RPC_URL to use a node of your own`);
  }
}

const { home, state, port } = options(process.argv.slice(2));
let anvil;
let stopping = false;
let compacting = false;
let savedBlock;
let compactAbove = COMPACT_ABOVE_BYTES;

async function rpc(method, ...params) {
  const answer = await fetch(`http://127.0.0.1:${port}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(30_000),
  });
  const { result, error } = await answer.json();
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}

function writeWhole(file, bytes) {
  const work = `${file}.new`;
  const handle = fs.openSync(work, 'w', 0o600);
  fs.writeFileSync(handle, bytes);
  fs.fsyncSync(handle);
  fs.closeSync(handle);
  fs.renameSync(work, file);
}

/** Drops old empty blocks: each takes 1.7 kB for ever, and nothing asks for them. Accounts and contracts are not touched. */
function compact() {
  const chain = JSON.parse(fs.readFileSync(state, 'utf8'));
  const recent = chain.best_block_number - KEEP_RECENT_BLOCKS;
  const number = (block) => Number(block.header.number);
  const withTransactions = chain.blocks.filter((b) => b.transactions.length > 0).map(number).sort((a, b) => b - a);
  const kept = new Set(withTransactions.slice(0, KEEP_BLOCKS_WITH_TRANSACTIONS));
  const before = chain.blocks.length;
  chain.blocks = chain.blocks.filter((b) => number(b) === 0 || number(b) > recent || kept.has(number(b)));
  chain.transactions = chain.transactions.filter((t) => t.block_number > recent || kept.has(t.block_number));
  const bytes = JSON.stringify(chain);
  writeWhole(state, bytes);
  compactAbove = Math.max(COMPACT_ABOVE_BYTES, 2 * bytes.length);
  log(`compacted: ${before} blocks to ${chain.blocks.length}, ${bytes.length >> 10} KiB`);
}

async function start() {
  const known = fs.existsSync(state);
  if (known && fs.statSync(state).size > compactAbove) compact();
  anvil = spawn(anvilProgram(), [
    '--host', '127.0.0.1', '--port', String(port), '--no-cors', '--quiet',
    '--chain-id', String(CHAIN_ID), '--no-mining', '--gas-limit', '2000000000',
    '--prune-history', '32',            // or every block leaves a megabyte under the user's home directory
    ...(known ? ['--load-state', state] : []),
  ], { stdio: ['ignore', 'inherit', 'inherit'], cwd: home });
  const current = anvil;
  current.on('error', (e) => fail(`cannot start anvil: ${e.message}`));
  current.on('exit', (code, signal) => {
    if (!stopping && !compacting && current === anvil) fail(`anvil ended by itself: ${signal ?? `exit code ${code}`}`);
  });
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      const id = Number(await rpc('eth_chainId'));
      if (id !== CHAIN_ID) fail(`port ${port} is served by another chain, ${id}`);
      return;
    } catch (e) {
      if (Date.now() > deadline) fail(`anvil does not answer on port ${port}: ${e.message}`);
      await sleep(20);
    }
  }
}

/** Asks for a block each second: told to make them by itself, anvil keeps 1,500 states in memory, whatever --prune-history says. */
async function mine() {
  while (!stopping) {
    const next = Date.now() + BLOCK_SECONDS * 1000;
    try {
      await rpc('evm_mine');
    } catch (e) {
      if (!stopping && !compacting) log(`no block: ${e.message}`);
    }
    await sleep(Math.max(0, next - Date.now()));
  }
}

/** Ends anvil, and waits for the end: its port must be free for the next one. */
async function end() {
  if (anvil.exitCode !== null || anvil.signalCode !== null) return;
  const ended = new Promise((resolve) => anvil.once('exit', resolve));
  anvil.kill('SIGKILL');              // everything worth keeping is saved, and a kill cannot hang
  await ended;
}

async function save() {
  const block = BigInt(await rpc('eth_blockNumber'));
  const packed = Buffer.from((await rpc('anvil_dumpState')).slice(2), 'hex');
  const bytes = await promisify(gunzip)(packed);
  writeWhole(state, bytes);
  savedBlock = block;
  return bytes.length;
}

/** True if a block after the saved one has a transaction in it. */
async function somethingHappened(latest) {
  for (let n = latest; n > savedBlock; n--) {
    if (Number(await rpc('eth_getBlockTransactionCountByNumber', `0x${n.toString(16)}`)) > 0) return true;
  }
  return false;
}

async function compactIfDue(size) {
  const pool = await rpc('txpool_status');
  if (size <= compactAbove || Number(pool.pending) + Number(pool.queued) > 0) return;   // the pool is not in the file
  compacting = true;
  await end();
  await start();
  compacting = false;
}

async function keep() {
  let lastSave = Date.now();
  let pause = 0;
  while (!stopping) {
    await sleep(250);
    try {
      const now = Date.now();
      const latest = BigInt(await rpc('eth_blockNumber'));
      if (latest === savedBlock || now - lastSave < pause) continue;
      if (now - lastSave < IDLE_SAVE_MS && !(await somethingHappened(latest))) continue;
      const size = await save();
      lastSave = Date.now();
      pause = SAVE_SHARE * (lastSave - now);
      await compactIfDue(size);
    } catch (e) {
      if (!stopping) log(`not saved: ${e.message}`);
    }
  }
}

async function stop() {
  if (stopping) return;
  stopping = true;
  try {
    await save();
  } catch (e) {
    log(`not saved: ${e.message}`);
  }
  await end();
  process.exit(0);
}

function fail(text) {
  log(text);
  stopping = true;
  anvil?.kill('SIGKILL');
  process.exit(1);
}

process.on('SIGTERM', stop);
process.on('SIGINT', stop);
fs.mkdirSync(home, { recursive: true, mode: 0o700 });
await start();
savedBlock = BigInt(await rpc('eth_blockNumber'));   // nobody was told yet that there is a chain
console.log('ready');
await Promise.all([mine(), keep()]);
