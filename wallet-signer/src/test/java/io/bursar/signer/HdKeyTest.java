package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.HexFormat;
import java.util.List;

import org.junit.jupiter.api.Test;

import io.bursar.json.Json;
import io.bursar.money.Address;

class HdKeyTest {
  private static final Secp256k1 CURVE = new BouncyCastleSecp256k1();

  @Test
  void derivesEveryKeyOfThePublishedVectors() {
    int derived = 0;
    for (var vector : list("vectors")) {
      var seed = HexFormat.of().parseHex(text(vector, "seedHex"));
      for (var chain : ((Json.Arr) member(vector, "chains")).items()) {
        try (var key = HdKey.ofSeed(seed).derive(text(chain, "path")); var wanted = HdKey.parse(text(chain, "xprv"))) {
          assertThat(key.isSameAs(wanted)).as(text(chain, "path")).isTrue();
          derived++;
        }
      }
    }
    assertThat(derived).isGreaterThanOrEqualTo(15);
  }

  @Test
  void refusesEveryInvalidKeyOfThePublishedVectors() {
    var invalid = list("invalidKeys");
    assertThat(invalid).isNotEmpty();
    for (var key : invalid) {
      var text = key instanceof Json.Str(var value)
          ? value
          : ((Json.Obj) key).members().values().stream().filter(Json.Str.class::isInstance)
              .map(string -> ((Json.Str) string).value())
              .filter(string -> string.startsWith("x") || string.length() > 100)
              .findFirst().orElseThrow();
      assertThatIllegalArgumentException().as(text).isThrownBy(() -> HdKey.parse(text));
    }
  }

  /** The seed of the mnemonic that development chains use, and the address that everybody knows of it. */
  @Test
  void theUsualPathOfEthereumGivesTheAddressThatOtherWalletsShow() {
    var seed = HexFormat.of().parseHex("9dfc3c64c2f8bede1533b6a79f8570e5943e0b8fd1cf77107adf7b72cef42185"
        + "d564a3aee24cab43f80e3c4538087d70fc824eabbad596a23c97b6ee8322ccc0");
    try (var key = HdKey.ofSeed(seed).derive("m/44'/60'/0'/0/0"); var secret = key.take()) {
      assertThat(CURVE.addressOf(secret))
          .contains(Address.parse("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"));
    }
  }

  @Test
  void pathsAndSeedsThatAreNoneAreRefused() {
    try (var key = HdKey.ofSeed(new byte[16])) {
      for (var path : List.of("", "44", "m/", "m/x", "m/-1", "m/2147483648", "m/1''", "m" + "/1".repeat(17))) {
        assertThatIllegalArgumentException().as(path).isThrownBy(() -> key.derive(path));
      }
      assertThat(key).hasToString("REDACTED");
    }
    assertThatIllegalArgumentException().isThrownBy(() -> HdKey.ofSeed(new byte[15]));
    assertThatIllegalArgumentException().isThrownBy(() -> HdKey.ofSeed(new byte[65]));
  }

  private static List<Json> list(String name) {
    return ((Json.Arr) Vectors.member(Vectors.members("/keys/bip32.json"), name)).items();
  }

  private static Json member(Json object, String name) {
    return Vectors.member(((Json.Obj) object).members(), name);
  }

  private static String text(Json object, String name) {
    return Vectors.text(((Json.Obj) object).members(), name);
  }
}
