package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.UUID;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.permit.FreezeScope;
import io.bursar.permit.SignerReply.Frozen;
import io.bursar.permit.SignerReply.Healthy;
import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest.CreateKey;
import io.bursar.permit.SignerRequest.Freeze;
import io.bursar.permit.SignerRequest.Health;

/** On Linux: what the hardening keeps out is tried, from outside and from inside. */
@Timeout(120)
class HardeningTest {
  private static final UUID KEY = new UUID(1, 1);

  @TempDir
  Path directory = Path.of(".");

  @Test
  void everyMeasureIsInForceAndHealthAndTheLogSaySo() throws Exception {
    try (var signer = new SignerProcess(directory, "--require-hardening");
        var client = new TestClient(signer.socket())) {
      assertThat(((Healthy) client.ask(new Health())).hardening()).contains("dumpable=off", "core-dumps=off",
          "attach=off", "heap-dumps=off", "java-options=command-line", "locked-memory=on", "key-memory=native",
          "system-call-filter=on");
      assertThat(Files.readString(signer.log())).contains("locked-memory=on").doesNotContain("not hardened");
      var status = Files.readString(Path.of("/proc/" + signer.process().pid() + "/status"));
      assertThat(status).containsPattern("Seccomp:\\s+2").containsPattern("NoNewPrivs:\\s+1")
          .containsPattern("VmLck:\\s+512 kB");
      for (var task : tasks(signer.process().pid())) {
        assertThat(Files.readString(task)).as("%s", task).containsPattern("Seccomp:\\s+2");
      }
      assertThat(Files.readString(Path.of("/proc/" + signer.process().pid() + "/limits")))
          .containsPattern("Max core file size\\s+0\\s+0");
      assertNobodyAttaches(signer);
      var key = assertKeyIsInLockedPagesOnly(signer, client);
      assertErasedByAFreeze(signer, client, key);
    }
  }

  @Test
  void whereSomethingIsMissingItIsSaidInOneLineOrTheSignerDoesNotStart() throws Exception {
    try (var signer = new SignerProcess(directory, "--backend", "bouncycastle");
        var client = new TestClient(signer.socket())) {
      assertThat(((Healthy) client.ask(new Health())).hardening()).contains("key-memory=heap", "locked-memory=on");
      assertThat(Files.readString(signer.log()).lines().filter(line -> line.contains("not hardened in full")))
          .singleElement().asString().contains("key-memory=heap (").doesNotContain("locked-memory");
      signer.kill();
      assertThatThrownBy(() -> signer.restart("--backend", "bouncycastle", "--require-hardening"))
          .hasMessageContaining("--require-hardening, but these are not in force: key-memory=heap");
    }
  }

  @Test
  void whoIsInsideRunsNothingReadsNobodyAndReachesNoNetwork() throws Exception {
    try (var free = new Probe(directory, false); var probe = new Probe(directory, true)) {
      for (var what : List.of("exec", "tcp", "udp")) {
        assertThat(free.tries(what)).as("without the filter").isEqualTo(what + " done");
        assertThat(probe.tries(what)).isEqualTo(what + " refused");
      }
      assertThat(probe.tries("ptrace")).isEqualTo("ptrace refused");
      assertThat(probe.tries("read-process")).isEqualTo("read-process refused");
      assertThat(probe.tries("unix")).isEqualTo("unix done");
      assertThat(probe.tries("thread")).isEqualTo("thread done");
    }
  }

  @Test
  void aFrozenKeyIsNowhereInTheMemory() throws Exception {
    try (var probe = new Probe(directory, true)) {
      assertThat(probe.tries("sign")).isEqualTo("sign done");
      byte[] key = key(Keystore.open(directory.resolve("keys"), Fixtures.keks(), new BouncyCastleSecp256k1()),
          HardenedProbe.KEY);
      assertLocked(probe.process.pid(), key);
      assertThat(probe.tries("freeze")).isEqualTo("freeze done");
      if (isRoot()) {
        assertThat(ProcessMemory.find(probe.process.pid(), key)).isEmpty();
      }
      assertThat(probe.tries("thread")).isEqualTo("thread done");
    }
  }

  private static void assertNobodyAttaches(SignerProcess signer) throws Exception {
    var jcmd = new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "jcmd").toString(),
        "-J-XX:TieredStopAtLevel=1", String.valueOf(signer.process().pid()), "VM.version").redirectErrorStream(true)
        .start();
    var said = new String(jcmd.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(jcmd.waitFor()).as(said).isNotZero();
    assertThat(signer.process().isAlive()).isTrue();
  }

  private static byte[] assertKeyIsInLockedPagesOnly(SignerProcess signer, TestClient client) throws Exception {
    var address = ((KeyCreated) client.ask(new CreateKey(Fixtures.TENANT, KEY))).address();
    var permitKey = signer.permitKey();
    for (int i = 0; i < 50; i++) {
      var request = SignerProcessTest.request(permitKey, Fixtures.intent(KEY, address, i));
      assertThat(client.ask(request)).isInstanceOf(Signed.class);
      client.ask(request); // the permit again: refused
    }
    try (var keks = new SignerHome(signer.home(), false).keks().open()) {
      var key = key(Keystore.open(signer.home().resolve("keys"), keks, new BouncyCastleSecp256k1()), KEY);
      assertLocked(signer.process().pid(), key);
      return key;
    }
  }

  private static void assertErasedByAFreeze(SignerProcess signer, TestClient client, byte[] key) throws Exception {
    assertThat(client.ask(new Freeze(new FreezeScope.Key(KEY), "stolen"))).isInstanceOf(Frozen.class);
    if (isRoot()) {
      long until = System.nanoTime() + Duration.ofSeconds(20).toNanos(); // one second, on a machine that is not busy
      while (!ProcessMemory.find(signer.process().pid(), key).isEmpty() && System.nanoTime() < until) {
        Thread.sleep(100);
      }
      assertThat(ProcessMemory.find(signer.process().pid(), key)).isEmpty();
    }
  }

  /** As root: the key is there, in locked pages that are in no dump and no child. As anybody else: the memory is closed. */
  private static void assertLocked(long pid, byte[] key) throws IOException {
    if (!isRoot()) {
      assertThatThrownBy(() -> ProcessMemory.find(pid, key)).isInstanceOfAny(AccessDeniedException.class,
          IOException.class);
      return;
    }
    assertThat(ProcessMemory.find(pid, key)).isNotEmpty().allSatisfy(hit -> {
      assertThat(hit.spelling()).isEqualTo("raw");
      assertThat(hit.flags()).as(hit.mapping()).contains("lo", "dd", "wf");
    });
  }

  private static byte[] key(Keystore store, UUID keyId) throws Exception {
    try (var secret = store.unseal(store.find(keyId).orElseThrow())) {
      return secret.copy();
    }
  }

  private static boolean isRoot() {
    return System.getProperty("user.name").equals("root");
  }

  private static List<Path> tasks(long pid) throws IOException {
    try (var tasks = Files.list(Path.of("/proc/" + pid + "/task"))) {
      return tasks.map(task -> task.resolve("status")).filter(Files::exists).toList();
    }
  }

  /** {@link HardenedProbe} in a process of its own. */
  private static final class Probe implements AutoCloseable {
    private final Process process;
    private final BufferedReader out;
    private final PrintStream in;

    Probe(Path directory, boolean hardened) throws IOException {
      var builder = SignerProcess.java(HardenedProbe.class, directory.toString(), String.valueOf(hardened));
      process = builder.redirectError(directory.resolve("probe-" + hardened + ".log").toFile()).start();
      out = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.US_ASCII));
      in = new PrintStream(process.getOutputStream(), true, StandardCharsets.US_ASCII);
      assertThat(out.readLine()).as(Files.readString(directory.resolve("probe-" + hardened + ".log")))
          .isEqualTo("hardened");
    }

    String tries(String what) throws IOException {
      in.println(what);
      return String.valueOf(out.readLine());
    }

    @Override
    public void close() {
      process.destroyForcibly().onExit().join();
    }
  }
}
