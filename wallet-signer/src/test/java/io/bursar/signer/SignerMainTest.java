package io.bursar.signer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.bursar.permit.PermitKeys;

class SignerMainTest {
  @TempDir
  Path temporary = Path.of(".");
  private Path home = Path.of(".");
  private Path permitKey = Path.of(".");
  private final ByteArrayOutputStream out = new ByteArrayOutputStream();
  private final ByteArrayOutputStream err = new ByteArrayOutputStream();

  @BeforeEach
  void name() {
    home = temporary.resolve("signer");
    permitKey = temporary.resolve("permit.key");
  }

  @Test
  void initMakesAHomeThatOnlyItsOwnerCanUseAndAPairOfPermitKeys() throws IOException {
    assertThat(init()).as(err.toString(StandardCharsets.UTF_8)).isZero();
    assertThat(mode(home)).isEqualTo("rwx------");
    for (var file : List.of(home.resolve("kek.key"), home.resolve("kek.conf"), home.resolve("permit.pub"), permitKey)) {
      assertThat(mode(file)).as("%s", file).isEqualTo("rw-------");
    }
    var secret = PermitKeys.parsePrivate(Files.readString(permitKey));
    assertThat(PermitKeys.publicKeyOf(secret))
        .isEqualTo(PermitKeys.parsePublic(Files.readString(home.resolve("permit.pub"))));
    assertThat(out.toString(StandardCharsets.UTF_8)).doesNotContain(Files.readString(permitKey).lines().toList().get(1))
        .doesNotContain(Files.readString(home.resolve("kek.key")).strip());
  }

  @Test
  void initAgainChangesNothing() throws IOException {
    init();
    var before = contents();
    assertThat(init()).isZero();
    assertThat(init("--kek-file", home.resolve("kek.key").toString())).isZero();
    assertThat(contents()).isEqualTo(before);
  }

  @Test
  void initNeverOverwritesWhatDoesNotFit() throws IOException {
    init();
    var before = contents();
    assertFails("cannot change", "--passphrase-file", temporary.resolve("phrase").toString());
    assertThat(contents()).isEqualTo(before);

    Files.writeString(permitKey, PermitKeys.toPem(PermitKeys.generate().getPrivate()));
    var stranger = Files.readString(permitKey);
    assertFails("is not the private half");
    assertThat(permitKey).hasContent(stranger);

    Files.delete(permitKey);
    assertFails("its private half");
    assertThat(permitKey).doesNotExist();

    Files.createDirectory(home.resolve("keys"));
    Files.delete(home.resolve("kek.conf"));
    assertFails("there are keys");
    assertThat(home.resolve("kek.conf")).doesNotExist();
  }

  @Test
  void initTakesAPermitKeyThatIsThere() throws IOException {
    var pair = PermitKeys.generate();
    SafeFiles.create(permitKey, PermitKeys.toPem(pair.getPrivate()).getBytes(StandardCharsets.US_ASCII));
    assertThat(init()).isZero();
    assertThat(PermitKeys.parsePublic(Files.readString(home.resolve("permit.pub")))).isEqualTo(pair.getPublic());
  }

  @Test
  void productionRefusesTheUnencryptedKeyFileByName() throws IOException {
    var production = Map.of("BURSAR_MODE", "production");
    assertThat(run(production, "init", "--home", home.toString(), "--permit-key", permitKey.toString())).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("BURSAR_MODE").contains("kek.key");
    assertThat(home.resolve("kek.key")).doesNotExist();
    init();
    err.reset();
    assertThat(run(production, "serve", "--home", home.toString(), "--socket", home.resolve("s/s").toString()))
        .isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("BURSAR_MODE").contains("kek.key");
  }

  @Test
  void productionTakesAPassphraseAndTheWrongOneIsNoticed() throws IOException {
    var phrase = temporary.resolve("phrase");
    SafeFiles.create(phrase, "correct horse battery\n".getBytes(StandardCharsets.US_ASCII));
    var production = Map.of("BURSAR_MODE", "production");
    assertThat(run(production, "init", "--home", home.toString(), "--permit-key", permitKey.toString(),
        "--passphrase-file", phrase.toString())).as(err.toString(StandardCharsets.UTF_8)).isZero();
    assertThat(Files.readString(home.resolve("kek.conf"))).contains("provider = passphrase-file")
        .doesNotContain("horse");
    Files.writeString(phrase, "incorrect horse battery");
    assertThat(run(production, "serve", "--home", home.toString(), "--socket", home.resolve("s/s").toString()))
        .isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("this home needs `kek-").doesNotContain("horse");
    Files.writeString(phrase, "short");
    assertFails("must have 12 to 1024 bytes");
  }

  @Test
  void secretsThatOthersCanReadAreNotUsed() throws IOException {
    init();
    Files.setPosixFilePermissions(home.resolve("kek.key"), PosixFilePermissions.fromString("rw-r-----"));
    assertFails("a secret must have mode 0600");
  }

  @Test
  void serveRefusesKeysWithoutTheirJournal() throws IOException {
    init();
    Files.createDirectory(home.resolve("keys"),
        PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    Files.write(home.resolve("keys").resolve("00000000-0000-0001-0000-000000000001.key"), new byte[1]);
    assertThat(run(Map.of(), "serve", "--home", home.toString(), "--socket", home.resolve("s/s").toString(),
        "--backend", "bouncycastle")).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("journal").contains("missing");
    assertThat(home.resolve("journal")).doesNotExist();
  }

  @Test
  void serveRefusesADirectoryThatIsNoHome() {
    assertThat(run(Map.of(), "serve", "--home", home.toString(), "--socket", home.resolve("s/s").toString()))
        .isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains("make one with `init`");
  }

  @Test
  void helpAndVersionGoOutAndMisuseIsToldInOneLine() {
    assertThat(run(Map.of(), "--help")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("--allow-user").contains("--passphrase-file");
    assertThat(run(Map.of(), "--version")).isZero();
    assertThat(out.toString(StandardCharsets.UTF_8)).contains("wallet-signer ").doesNotContain("${");
    for (var misuse : new String[][]{{}, {"sign"}, {"init"}, {"init", "--home"}, {"init", "--home", ""},
        {"serve", "--home", "a", "--home", "b"}, {"serve", "--port", "1"}, {"serve", "--home", "a"},
        {"init", "--home", "a", "--permit-key", "b", "--kek-file", "c", "--passphrase-file", "d"}}) {
      err.reset();
      assertThat(run(Map.of(), misuse)).as(String.join(" ", misuse)).isEqualTo(2);
      assertThat(err.toString(StandardCharsets.UTF_8).lines()).hasSize(1);
    }
  }

  private void assertFails(String message, String... more) {
    err.reset();
    assertThat(init(more)).isEqualTo(1);
    assertThat(err.toString(StandardCharsets.UTF_8)).contains(message);
  }

  private int init(String... more) {
    var arguments = new String[5 + more.length];
    System.arraycopy(new String[]{"init", "--home", home.toString(), "--permit-key", permitKey.toString()}, 0,
        arguments, 0, 5);
    System.arraycopy(more, 0, arguments, 5, more.length);
    return run(Map.of(), arguments);
  }

  private int run(Map<String, String> environment, String... arguments) {
    return SignerMain.run(arguments, environment, new PrintStream(out, true, StandardCharsets.UTF_8),
        new PrintStream(err, true, StandardCharsets.UTF_8));
  }

  private Map<Path, String> contents() throws IOException {
    var contents = new HashMap<Path, String>();
    try (var files = Files.walk(temporary)) {
      for (var file : files.filter(Files::isRegularFile).toList()) {
        contents.put(file, Files.readString(file));
      }
    }
    return contents;
  }

  private static String mode(Path path) throws IOException {
    return PosixFilePermissions.toString(Files.getPosixFilePermissions(path));
  }
}
