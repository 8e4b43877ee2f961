package io.bursar.api.simulation;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import io.bursar.money.Address;

/**
 * One seed from its beginning to the end of all its payments. In the first half everything that the seed wants goes wrong; then the
 * world is calm, and everything must become final. The invariants are examined after every step that could have changed anything.
 */
final class Simulation {
  /**
   * What came of a seed.
   *
   * @param findings broken invariants; there should be none
   * @param trace a digest of every choice and its outcome: the same seed gives the same
   * @param recovery simulated time from the last fault until everything was final; zero where a key has leaked and something never is
   */
  record Outcome(long seed, List<String> findings, int steps, int spends, Map<Fault, Integer> faults, Duration recovery,
      int trace) {}

  private static final int TURNS = 240;
  private static final int WISHES_AT_FIRST = 3;
  private static final int WISHES_MAX = 14;
  private static final int TURNS_TO_SETTLE = 900;
  private static final Duration MOMENT = Duration.ofMillis(1);
  private static final Duration PATIENCE = Duration.ofMinutes(15);
  private static final Duration LEAKED_PATIENCE = Duration.ofMinutes(5);
  private static final Duration HOUR = Duration.ofHours(1);

  private final long seed;
  private final World world;
  private final Chance chance;
  private final List<Replica> replicas;
  private final Invariants invariants;
  private final List<Wish> wishes = new ArrayList<>();
  private final Set<Address> leaked = new HashSet<>();
  private final boolean leaks;
  private Duration calmFrom = Duration.ZERO;
  private int steps;
  private int trace;

  private Simulation(long seed, World world, Stage stage) {
    this.seed = seed;
    this.world = world;
    this.chance = world.chance();
    this.leaks = chance.percent(4);
    this.invariants = new Invariants(world, stage.connection(), stage.observer());
    world.node().tell(invariants::sent);
    this.replicas = stage.replicas(world);
  }

  /** Plays a seed. */
  static Outcome play(long seed, Stage stage) {
    try (var world = new World(seed, stage)) {
      var simulation = new Simulation(seed, world, stage);
      try {
        return simulation.play();
      } finally {
        simulation.replicas.forEach(replica -> {
          replica.actor().kill();
          replica.bury();
        });
      }
    }
  }

  private Outcome play() {
    for (int i = 0; i < WISHES_AT_FIRST; i++) {
      wishes.add(world.wish());
    }
    for (int turn = 0; turn < TURNS && world.findings().isEmpty(); turn++) {
      passTime();
      if (chance.percent(18)) {
        somethingHappens();
      }
      oneStep();
      examine();
    }
    settleDown();
    if (world.findings().isEmpty()) {
      invariants.checkEnd(wishes, leaked);
    }
    return new Outcome(seed, List.copyOf(world.findings()), steps, wishes.size(), chance.faults(),
        leaked.isEmpty() ? world.time().elapsed().minus(calmFrom) : Duration.ZERO, trace);
  }

  private void passTime() {
    world.time().pass(chance.percent(6)
        ? chance.between(MOMENT, Duration.ofSeconds(12))
        : chance.between(MOMENT, Duration.ofMillis(250)));
    world.chain().pass(world.time().elapsed());
  }

  private void somethingHappens() {
    switch (chance.below(12)) {
      case 0 -> reorganize();
      case 1 -> {
        if (chance.percent(40)) {
          world.chain().drop();
        }
      }
      case 2 -> {
        boolean on = chance.percent(40);
        world.chain().spike(on);
        if (on) {
          chance.happened(Fault.FEE_SPIKE);
        }
      }
      case 3 -> signerComesOrGoes();
      case 4 -> {
        boolean now = chance.percent(30);
        world.node().away(now);
        if (now) {
          chance.happened(Fault.NODE_AWAY);
        }
      }
      case 5 -> {
        if (chance.strikes(Fault.CLOCK_JUMPED, 2000)) {
          world.time().jump(chance.percent(50) ? chance.between(MOMENT, HOUR) : chance.between(MOMENT, HOUR).negated());
        }
      }
      case 6 -> {
        var victim = chance.one(replicas);
        if (victim.isRunning() && chance.strikes(Fault.PROCESS_KILLED, 3000)) {
          victim.actor().kill();
        }
      }
      case 7 -> {
        if (leaks && leaked.isEmpty() && chance.percent(30)) {
          var account = chance.one(world.addresses());
          leaked.add(account);
          world.chain().foreign(account);
        }
      }
      default -> {
        if (wishes.size() < WISHES_MAX) {
          wishes.add(world.wish());
        }
      }
    }
  }

  private void reorganize() {
    if (world.confirmations() > 1) {
      chance.happened(Fault.REORGANIZED);
      world.chain().reorganize(1 + chance.below(world.confirmations() - 1));
    }
  }

  private void signerComesOrGoes() {
    if (!world.signer().isRunning()) {
      world.signer().start();
    } else if (chance.strikes(Fault.SIGNER_RESTARTED, 4000)) {
      world.signer().stop();
    }
  }

  /** Lets one process go on, begin something, or start again after its death. */
  private void oneStep() {
    int chosen = chance.below(replicas.size());
    var replica = replicas.get(chosen);
    var actor = replica.actor();
    steps++;
    int what;
    if (actor.isKilled()) {
      what = 1;
      replica.bury();
      if (chance.percent(30)) {
        what = 2;
        replica.start();
      }
    } else if (!actor.isIdle()) {
      what = 3;
      actor.resume();
    } else {
      what = 4 + begin(replica);
    }
    trace = 31 * (31 * trace + chosen) + what;
  }

  private int begin(Replica replica) {
    int what = chance.below(10);
    switch (what) {
      case 0, 1, 2 -> {
        var batch = batch();
        if (!batch.isEmpty()) {
          replica.actor().begin(() -> replica.decide(batch));
        }
      }
      case 3 -> replica.actor().begin(replica::sequence);
      case 4 -> {
        var told = wishes.stream().filter(Wish::isAcknowledged).toList();
        if (chance.percent(15) && !told.isEmpty()) {
          var wish = chance.one(told);
          replica.actor().begin(() -> replica.cancel(wish));
        }
      }
      case 5, 6 -> replica.actor().begin(world.isRelayed() ? replica::relay : replica::settle);
      default -> replica.actor().begin(replica::settle);
    }
    return what;
  }

  /** Some of what clients wait for, now and then also what they have been told of before. */
  private List<Wish> batch() {
    var batch = new ArrayList<Wish>();
    for (var wish : wishes) {
      if (wish.isAcknowledged() ? chance.percent(5) : chance.percent(70)) {
        batch.add(wish);
      }
    }
    return batch;
  }

  private void examine() {
    if (world.changed()) {
      var rows = invariants.check(wishes);
      trace = 31 * trace + rows.stream().map(row -> row.key() + row.state()).sorted().toList().hashCode();
    }
  }

  /** Ends all faults, and then lets the processes work until nothing is left to do. */
  private void settleDown() {
    chance.calm();
    world.chain().spike(false);
    world.node().away(false);
    if (!world.signer().isRunning()) {
      world.signer().start();
    }
    for (var replica : replicas) {
      while (!replica.actor().isIdle()) {
        replica.actor().resume();
        examine();
      }
      if (replica.actor().isKilled()) {
        replica.bury();
        replica.start();
      }
    }
    calmFrom = world.time().elapsed();
    long idle = 100;
    for (int turn = 0; turn < TURNS_TO_SETTLE && world.findings().isEmpty() && !isSettled(); turn++) {
      var replica = replicas.get(turn % replicas.size());
      var batch = wishes.stream().filter(wish -> !wish.isAcknowledged()).toList();
      if (!batch.isEmpty()) {
        complete(replica, () -> replica.decide(batch));
      }
      complete(replica, replica::settle);
      boolean foundWork = replica.foundWork();
      if (world.isRelayed()) {
        complete(replica, replica::relay);
        foundWork |= replica.foundWork();
      }
      complete(replica, replica::sequence);
      // What the token refuses waits until its authorization is over, an hour where a clock was ahead; it is not watched every half second.
      long pace = turn > 300 ? 30_000 : leaked.isEmpty() ? 500 : 5000;
      idle = foundWork ? pace : Math.min(idle * 2, 120_000);
      world.time().pass(Duration.ofMillis(idle));
      world.chain().pass(world.time().elapsed());
      if (leaked.isEmpty() && world.time().elapsed().minus(calmFrom).compareTo(PATIENCE) > 0) {
        invariants.checkNothingWaits();
      }
    }
  }

  private void complete(Replica replica, Runnable task) {
    replica.actor().begin(task);
    examine();
    while (!replica.actor().isIdle()) {
      steps++;
      replica.actor().resume();
      examine();
    }
  }

  private boolean isSettled() {
    return wishes.stream().allMatch(Wish::isAcknowledged)
        && invariants.check(wishes).stream().allMatch(row -> row.isFinal() || isBlocked(row))
        && invariants.refillsAreSettled() && invariants.everythingIsUnderAHead();
  }

  /** A wallet whose key has leaked pays nothing any more; a person has to look. */
  private boolean isBlocked(Invariants.Row row) {
    return !leaked.isEmpty() && world.time().elapsed().minus(calmFrom).compareTo(LEAKED_PATIENCE) > 0 && !row.isVoid();
  }
}
