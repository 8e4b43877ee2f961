package io.bursar.signer;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.UUID;

import io.bursar.permit.SignerReply.KeyCreated;
import io.bursar.permit.SignerReply.Signed;
import io.bursar.permit.SignerRequest.CreateKey;

/**
 * How much memory the real process takes with many keys, each of which has signed, and how long it takes to start again. Arguments: a
 * directory that is not there yet, and the number of keys.
 */
final class SignerFootprint {
  private SignerFootprint() {}

  public static void main(String[] arguments) throws Exception {
    var directory = Files.createDirectory(Path.of(arguments[0]));
    int keys = Integer.parseInt(arguments[1]);
    try (var signer = new SignerProcess(directory, "--require-hardening")) {
      System.out.println("new: " + resident(signer));
      var permitKey = signer.permitKey();
      try (var client = new TestClient(signer.socket())) {
        for (int i = 0; i < keys; i++) {
          var id = new UUID(6, i);
          var address = ((KeyCreated) client.ask(new CreateKey(Fixtures.TENANT, id))).address();
          if (!(client.ask(SignerProcessTest.request(permitKey, Fixtures.intent(id, address, i))) instanceof Signed)) {
            throw new IllegalStateException("a transfer was not signed");
          }
        }
      }
      System.out.println("after a signature by each of " + keys + " keys: " + resident(signer));
      signer.terminate();
      long began = System.nanoTime();
      signer.restart("--require-hardening");
      System.out.println("started again in " + (System.nanoTime() - began) / 1_000_000 + " ms, " + processorTime(signer)
          + " of processor time: " + resident(signer));
    }
  }

  private static String resident(SignerProcess signer) throws Exception {
    return Files.readAllLines(Path.of("/proc/" + signer.process().pid() + "/status")).stream()
        .filter(line -> line.startsWith("VmRSS")).findFirst().orElseThrow().replaceAll("\\s+", " ");
  }

  private static String processorTime(SignerProcess signer) throws Exception {
    var fields = Files.readString(Path.of("/proc/" + signer.process().pid() + "/stat")).split(" ");
    return (Long.parseLong(fields[13]) + Long.parseLong(fields[14])) * 10 + " ms";
  }
}
