package io.bursar.api.audit;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.UUID;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Address;
import io.bursar.money.Asset;
import io.bursar.store.AuditEntries;
import io.bursar.store.AuthorizationQuery.Authorization;
import io.bursar.store.AuthorizationQuery.Request;

class ExportFormatTest {
  private static final byte[] PAYLOAD = "{\"kind\":\"authorization\",\"text\":\"\u00e4\\n\"}"
      .getBytes(StandardCharsets.UTF_8);
  private static final Address PAYEE = Address.parse("0x70997970C51812dc3A010C7d01b50e0d17dc79C8");

  private static Authorization authorization(String effect, String purpose) {
    var request = new Request(new UUID(0, 1), new UUID(0, 2),
        new Asset("eip155:1", PAYEE, "USDC", 6, "USD"), BigInteger.valueOf(1_250_000), PAYEE, "transfer", "-cat", null,
        purpose, "a,\"b\"");
    return new Authorization(new UUID(0, 3), new UUID(0, 3), 7, Instant.parse("2026-11-23T09:14:02Z"), effect,
        effect.equals("allow") ? List.of() : List.of("NO_PERMIT"), effect.equals("allow") ? "confirmed" : "denied",
        effect.equals("allow") ? new byte[]{1, 2} : null, request, AuditEntries.leafHash(PAYLOAD), PAYLOAD);
  }

  private static String written(ExportFormat format, Authorization authorization) {
    var out = new ByteArrayOutputStream();
    format.write(authorization, out);
    return out.toString(StandardCharsets.UTF_8);
  }

  @ParameterizedTest
  @CsvSource(quoteCharacter = '#', value = {"=1+1,'=1+1", "+1,'+1", "-1,'-1", "@SUM(A1),'@SUM(A1)", "plain,plain",
      "a=b,a=b", "say \"so\",#\"say \"\"so\"\"\"#"})
  void aCellIsNeverAFormula(String text, String cell) {
    assertThat(ExportFormat.cell(text)).isEqualTo(cell);
  }

  @Test
  void aCellThatBeginsWithAControlCharacterIsNoFormulaEither() {
    assertThat(ExportFormat.cell("\t=1")).isEqualTo("'\t=1");
    assertThat(ExportFormat.cell("\r=1")).isEqualTo("\"'\r=1\"");
    assertThat(ExportFormat.cell("a\nb")).isEqualTo("\"a\nb\"");
  }

  @Test
  void csvHasACellForEachColumn() {
    var header = new String(ExportFormat.CSV.header(), StandardCharsets.US_ASCII).strip().split(",");
    var line = written(ExportFormat.CSV, authorization("allow", "=HYPERLINK()"));
    assertThat(line).endsWith("\r\n").contains(",1.25,1250000,")
        .contains(",'-cat,,'=HYPERLINK(),\"a,\"\"b\"\"\",0x0102,");
    assertThat(line.strip().replace("\"a,\"\"b\"\"\"", "x").split(",", -1)).hasSameSizeAs(header);
  }

  /** What is exported hashes to the leaf hash beside it. */
  @Test
  void jsonlKeepsTheBytesThatWereHashed() throws Exception {
    var line = written(ExportFormat.JSONL, authorization("allow", "x")).getBytes(StandardCharsets.UTF_8);
    var object = (Json.Obj) JsonText.parse(line);
    assertThat(new String(line, StandardCharsets.UTF_8))
        .contains("\"entry\":" + new String(PAYLOAD, StandardCharsets.UTF_8) + ",\"leafHash\"").endsWith("}\n");
    assertThat(object.members().keySet()).containsExactly("authorization", "entry", "leafHash", "seq", "status");
  }

  @Test
  void ocsfHasWhatTheClassRequires() throws Exception {
    for (var effect : List.of("allow", "deny", "require_approval")) {
      var event = (Json.Obj) JsonText
          .parse(written(ExportFormat.OCSF, authorization(effect, "x")).getBytes(StandardCharsets.UTF_8));
      assertThat(event.members()).containsKeys("activity_id", "category_uid", "class_uid", "type_uid", "severity_id",
          "time", "metadata", "actor", "api", "src_endpoint", "status_id", "unmapped");
      assertThat(event.get("time")).isEqualTo(new Json.Num(1_795_425_242_000L));
      assertThat(event.get("type_uid")).isEqualTo(new Json.Num(600301));
      assertThat(event.get("action_id"))
          .isEqualTo(new Json.Num(effect.equals("allow") ? 1 : effect.equals("deny") ? 2 : 99));
    }
  }
}
