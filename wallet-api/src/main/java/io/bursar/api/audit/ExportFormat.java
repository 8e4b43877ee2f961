package io.bursar.api.audit;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.money.Amount;
import io.bursar.spend.Id;
import io.bursar.store.AuthorizationQuery.Authorization;

/** How decisions are exported, one a line. */
enum ExportFormat {
  /** The entry byte for byte as it was hashed, with its number and hash: the form that can be verified. */
  JSONL("application/x-ndjson"),
  /** One row a decision (RFC 4180); a cell that a spreadsheet would take for a formula begins with an apostrophe. */
  CSV("text/csv;charset=UTF-8"),
  /** Events of class API Activity (6003) of the Open Cybersecurity Schema Framework 1.8, for systems that collect security events. */
  OCSF("application/x-ndjson");

  private static final String COLUMNS = "authorization,spend,seq,at,effect,status,reasonCodes,agent,wallet,chain,asset,amount,"
      + "baseUnits,to,method,category,host,purpose,reference,transaction,leafHash\r\n";

  /** What makes a spreadsheet read a cell as a formula, or begin another cell. */
  private static final String FORMULA = "=+-@\t\r";

  private final String mediaType;

  ExportFormat(String mediaType) {
    this.mediaType = mediaType;
  }

  static ExportFormat named(String text) {
    return Arrays.stream(values()).filter(format -> format.parameter().equals(text)).findFirst()
        .orElseThrow(() -> new IllegalArgumentException(
            "must be one of "
                + Arrays.stream(values()).map(ExportFormat::parameter).collect(Collectors.joining(", "))));
  }

  private String parameter() {
    return name().toLowerCase(Locale.ROOT);
  }

  String mediaType() {
    return mediaType;
  }

  String suffix() {
    return switch (this) {
      case JSONL -> "jsonl";
      case CSV -> "csv";
      case OCSF -> "ocsf.jsonl";
    };
  }

  byte[] header() {
    return switch (this) {
      case CSV -> COLUMNS.getBytes(StandardCharsets.US_ASCII);
      case JSONL, OCSF -> new byte[0];
    };
  }

  /** Writes one decision with the end of its line. */
  void write(Authorization authorization, ByteArrayOutputStream out) {
    switch (this) {
      case JSONL -> jsonl(authorization, out);
      case CSV -> out.writeBytes(csv(authorization).getBytes(StandardCharsets.UTF_8));
      case OCSF -> {
        out.writeBytes(JsonText.inOrder(ocsf(authorization)));
        out.write('\n');
      }
    }
  }

  private static void jsonl(Authorization authorization, ByteArrayOutputStream out) {
    out.writeBytes(("{\"authorization\":\"" + Id.AUTHORIZATION.text(authorization.id()) + "\",\"entry\":")
        .getBytes(StandardCharsets.US_ASCII));
    out.writeBytes(authorization.payload());
    out.writeBytes((",\"leafHash\":\"" + HexFormat.of().formatHex(authorization.leafHash()) + "\",\"seq\":"
        + authorization.seq() + ",\"status\":\"" + authorization.status() + "\"}\n")
        .getBytes(StandardCharsets.US_ASCII));
  }

  private static String csv(Authorization authorization) {
    var request = authorization.request();
    var asset = request.asset();
    var row = new StringBuilder(512);
    for (var cell : Arrays.asList(Id.AUTHORIZATION.text(authorization.id()), Id.SPEND.text(authorization.spendId()),
        Long.toString(authorization.seq()), authorization.at().toString(), authorization.effect(),
        authorization.status(), String.join(" ", authorization.reasonCodes()), Id.AGENT.text(request.agentId()),
        Id.WALLET.text(request.walletId()), asset.chain(), asset.symbol(),
        Amount.format(request.amount(), asset.decimals()), request.amount().toString(), request.payee().toString(),
        request.method(), request.category(), request.host(), request.purpose(), request.reference(),
        transaction(authorization), HexFormat.of().formatHex(authorization.leafHash()))) {
      row.append(row.isEmpty() ? "" : ",").append(cell(cell));
    }
    return row.append("\r\n").toString();
  }

  /** A cell of a CSV file: quoted where it must be, and never a formula. */
  static String cell(@Nullable String text) {
    if (text == null || text.isEmpty()) {
      return "";
    }
    var harmless = FORMULA.indexOf(text.charAt(0)) >= 0 ? "'" + text : text;
    boolean plain = harmless.chars().noneMatch(c -> c == '"' || c == ',' || c == '\n' || c == '\r');
    return plain ? harmless : "\"" + harmless.replace("\"", "\"\"") + "\"";
  }

  private static @Nullable String transaction(Authorization authorization) {
    var hash = authorization.transactionHash();
    return hash == null ? null : "0x" + HexFormat.of().formatHex(hash);
  }

  private static Json ocsf(Authorization authorization) {
    var request = authorization.request();
    var asset = request.asset();
    var agent = Id.AGENT.text(request.agentId());
    boolean denied = authorization.effect().equals("deny");
    var verdict = switch (authorization.effect()) {
      case "allow" -> List.of(1L, 1L);
      case "deny" -> List.of(2L, 2L);
      default -> List.of(99L, 99L);
    };
    var event = Json.object().put("activity_id", 1).put("activity_name", "Create").put("category_uid", 6)
        .put("category_name", "Application Activity").put("class_uid", 6003).put("class_name", "API Activity")
        .put("type_uid", 600301).put("severity_id", denied ? 2 : 1).put("status_id", denied ? 2 : 1)
        .put("status_code", String.join(" ", authorization.reasonCodes()))
        .put("time", authorization.at().toEpochMilli())
        .put("action_id", verdict.get(0)).put("disposition_id", verdict.get(1));
    if (!denied && verdict.get(0) == 99) {
      event.put("action", "Awaits approval").put("disposition", "Awaits approval");
    }
    return event
        .put("metadata", Json.object().put("version", "1.8.0").put("uid", Id.AUTHORIZATION.text(authorization.id()))
            .put("sequence", authorization.seq()).put("profiles", Json.strings(List.of("security_control")))
            .put("product", Json.object().put("name", "Bursar").put("vendor_name", "Bursar").build()).build())
        .put("actor", Json.object().put("user", Json.object().put("uid", agent).put("type_id", 99)
            .put("type", "Agent").build()).build())
        .put("api", Json.object().put("operation", "createSpend").put("request",
            Json.object().put("uid", Id.SPEND.text(authorization.spendId())).build()).build())
        .put("src_endpoint", Json.object().put("uid", agent).build())
        .put("unmapped", Json.object().put("effect", authorization.effect()).put("status", authorization.status())
            .put("wallet", Id.WALLET.text(request.walletId())).put("chain", asset.chain()).put("asset", asset.symbol())
            .put("amount", Amount.format(request.amount(), asset.decimals())).put("baseUnits", request.amount())
            .put("to", request.payee().toString()).put("method", request.method()).put("category", request.category())
            .put("host", request.host()).put("transaction", transaction(authorization))
            .put("leafHash", HexFormat.of().formatHex(authorization.leafHash())).build())
        .build();
  }
}
