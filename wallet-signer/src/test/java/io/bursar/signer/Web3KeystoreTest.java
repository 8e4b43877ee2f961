package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.signer.Web3Keystore.UnreadableException;

class Web3KeystoreTest {
  private static final byte[] PASSWORD = "testpassword".getBytes(StandardCharsets.US_ASCII);
  private static final Secp256k1 CURVE = new BouncyCastleSecp256k1();

  @Test
  void opensTheOfficialVectorWithPbkdf2() throws Exception {
    var vector = vector("pbkdf2");
    try (var secret = Web3Keystore.open(vector.file, PASSWORD, CURVE)) {
      assertThat(HexFormat.of().formatHex(secret.copy())).isEqualTo(vector.key);
    }
  }

  @Test
  void saysWhyTheOfficialVectorWithScryptIsRefused() {
    assertThatThrownBy(() -> Web3Keystore.open(vector("scrypt").file, PASSWORD, CURVE))
        .isInstanceOf(UnreadableException.class).hasMessageContaining("n")
        .hasMessageContaining("RFC 7914").hasMessageContaining("export it again");
  }

  /** A file of go-ethereum's own tests, with an empty password. */
  @Test
  void opensWhatGoEthereumSealedWithScrypt() throws Exception {
    var file = """
        {"address":"45dea0fb0bba44f4fcf290bba71fd57d7117cbb8","crypto":{"cipher":"aes-128-ctr","ciphertext":\
        "b87781948a1befd247bff51ef4063f716cf6c2d3481163e9a8f42e1f9bb74145","cipherparams":{"iv":\
        "dc4926b48a105133d2f16b96833abf1e"},"kdf":"scrypt","kdfparams":{"dklen":32,"n":2,"p":1,"r":8,"salt":\
        "004244bbdc51cadda545b1cfa43cff9ed2ae88e08c61f1479dbb45410722f8f0"},"mac":\
        "39990c1684557447940d4c69e06b1b82b2aceacb43f284df65c956daf3046b85"},\
        "id":"ce541d8d-c79b-40f8-9f8c-20f59616faba","version":3}""".getBytes(StandardCharsets.US_ASCII);
    try (var secret = Web3Keystore.open(file, new byte[0], CURVE)) {
      assertThat(CURVE.addressOf(secret)).contains(Address.parse("0x45dea0fb0bba44f4fcf290bba71fd57d7117cbb8"));
    }
  }

  @Test
  void aFileOfTheUsualCostOpens() throws Exception {
    try (var secret = SecretBytes.random()) {
      var address = CURVE.addressOf(secret).orElseThrow();
      try (var again = Web3Keystore.open(Web3Keystore.seal(secret, address, PASSWORD), PASSWORD, CURVE)) {
        assertThat(again.copy()).isEqualTo(secret.copy());
      }
    }
  }

  @Test
  void theWrongPasswordAndEveryAlterationAreNoticed() throws Exception {
    try (var secret = SecretBytes.random()) {
      var address = CURVE.addressOf(secret).orElseThrow();
      var file = new String(Web3Keystore.seal(secret, address, PASSWORD, 2), StandardCharsets.US_ASCII);
      assertRefused(file, "password is wrong", "otherpassword");
      assertRefused(altered(file, "ciphertext"), "password is wrong");
      assertRefused(altered(file, "mac"), "password is wrong");
      // The initialization vector is under no check of the format: only the address tells.
      assertRefused(altered(file, "iv"), "but the key's is");
      assertRefused(altered(file, "address"), "but the key's is");
    }
  }

  /** With another first byte of a member in hexadecimal. */
  private static String altered(String file, String member) {
    int at = file.indexOf("\"" + member + "\":\"") + member.length() + 4;
    return file.substring(0, at) + (file.charAt(at) == '0' ? '1' : '0') + file.substring(at + 1);
  }

  @Test
  void costsAreCappedBeforeAnythingIsComputed() throws Exception {
    var scrypt = """
        {"version":3,"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"%1$s"},"ciphertext":"%1$s%1$s",\
        "kdf":"scrypt","kdfparams":{"dklen":32,"n":%2$d,"r":%3$d,"p":%4$d,"salt":"%1$s"},"mac":"%1$s%1$s"}}""";
    var zeros = "00".repeat(16);
    long began = System.nanoTime();
    assertRefused(scrypt.formatted(zeros, 1 << 20, 8, 1), "1024 MiB");
    assertRefused(scrypt.formatted(zeros, 1 << 30, 1 << 10, 1), "MiB are spent");
    assertRefused(scrypt.formatted(zeros, 1 << 18, 8, 5), "takes too long");
    assertRefused(scrypt.formatted(zeros, 1000, 8, 1), "power of 2");
    assertRefused(scrypt.formatted(zeros, 1L << 40, 8, 1), "whole number from 2");
    var pbkdf2 = """
        {"version":3,"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"%1$s"},"ciphertext":"%1$s%1$s",\
        "kdf":"pbkdf2","kdfparams":{"dklen":32,"c":%2$d,"prf":"hmac-sha256","salt":"%1$s"},"mac":"%1$s%1$s"}}""";
    assertRefused(pbkdf2.formatted(zeros, 2_000_000_000), "1 to 10000000");
    assertRefused(pbkdf2.formatted(zeros, 0), "1 to 10000000");
    assertRefused(pbkdf2.formatted(zeros, 10).replace("hmac-sha256", "hmac-sha1"), "`hmac-sha256`");
    assertThat(System.nanoTime() - began).as("nothing was computed").isLessThan(5_000_000_000L);
  }

  @Test
  void whatIsNoKeystoreIsSaidToBeNone() throws Exception {
    assertRefused("", "no JSON");
    assertRefused("{}", "`/version` is required");
    assertRefused("{\"version\":1}", "`/version` must be a whole number from 3 to 3");
    assertRefused("[1]", "/");
    assertRefused("x".repeat(Web3Keystore.MOST_BYTES + 1), "more than");
  }

  private static void assertRefused(String file, String message) {
    assertRefused(file, message, "testpassword");
  }

  private static void assertRefused(String file, String message, String password) {
    assertThatThrownBy(() -> Web3Keystore.open(file.getBytes(StandardCharsets.UTF_8),
        password.getBytes(StandardCharsets.UTF_8), CURVE)).isInstanceOf(UnreadableException.class)
        .hasMessageContaining(message);
  }

  private record Vector(byte[] file, String key) {}

  private static Vector vector(String name) {
    var tests = ((Json.Obj) Vectors.member(Vectors.members("/keys/web3-keystore-v3.json"), "tests")).members();
    var test = ((Json.Obj) Vectors.member(tests, name)).members();
    return new Vector(JsonText.canonical(Vectors.member(test, "json")), Vectors.text(test, "priv"));
  }
}
