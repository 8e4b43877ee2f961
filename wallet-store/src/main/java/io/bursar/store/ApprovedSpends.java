package io.bursar.store;

import java.nio.charset.StandardCharsets;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

import org.jspecify.annotations.Nullable;

import io.bursar.approval.ApproverKey;
import io.bursar.json.Json;
import io.bursar.json.JsonText;
import io.bursar.permit.Bytes;
import io.bursar.permit.SignerRequest.Approved;
import io.bursar.permit.SignerRequest.Passkey;
import io.bursar.permit.SignerRequest.Word;

/** What approvers have signed for a spend, as the signer wants to see it. */
public final class ApprovedSpends {
  private record Row(String text, Word word) {}

  private ApprovedSpends() {}

  /** What was approved in the last round, which let the spend go on; empty where nobody was asked. */
  public static Optional<Approved> of(Database database, UUID tenantId, UUID spendId) {
    List<Row> rows = database.sql().sql("""
        SELECT v.approver_id, v.text, v.signature, v.assertion, k.public_key,
               ARRAY(SELECT g.name FROM approver_group_member m
                     JOIN approver_group g ON g.tenant_id = m.tenant_id AND g.group_id = m.group_id
                     WHERE m.tenant_id = v.tenant_id AND m.approver_id = v.approver_id ORDER BY 1) AS groups
        FROM payment p
        JOIN approval v ON v.tenant_id = p.tenant_id AND v.spend_id = p.spend_id AND v.round = p.round
        LEFT JOIN approver_key k ON k.tenant_id = v.tenant_id AND k.thumbprint = v.thumbprint
        WHERE p.tenant_id = :tenant AND p.spend_id = :spend AND v.verdict = 'approve' AND v.text IS NOT NULL
        ORDER BY v.approver_id LIMIT :most
        """).param("tenant", tenantId).param("spend", spendId).param("most", Approved.WORDS_MAX)
        .query((row, n) -> new Row(row.getString("text"), word(row))).list();
    if (rows.isEmpty()) {
      return Optional.empty();
    }
    var text = rows.getFirst().text; // of one round, so of all of them
    return Optional.of(new Approved(Bytes.of(text.getBytes(StandardCharsets.US_ASCII)),
        rows.stream().filter(row -> row.text.equals(text)).map(Row::word).toList()));
  }

  private static Word word(ResultSet row) throws SQLException {
    var key = row.getString("public_key");
    var signature = key == null ? null : row.getString("signature");
    return new Word(Directory.uuid(row, "approver_id"), List.of((String[]) row.getArray("groups").getArray()),
        key == null ? "" : key, signature == null ? Bytes.of(new byte[0]) : ApproverKey.signature(signature),
        passkey(row.getString("assertion")));
  }

  private static Optional<Passkey> passkey(@Nullable String assertion) {
    if (assertion == null) {
      return Optional.empty();
    }
    try {
      if (JsonText.parse(assertion.getBytes(StandardCharsets.UTF_8)) instanceof Json.Obj said) {
        return Optional.of(new Passkey(bytes(said, "credentialId"), bytes(said, "authenticatorData"),
            bytes(said, "clientDataJSON")));
      }
    } catch (JsonText.Malformed damaged) {
      throw new IllegalStateException("a passkey's assertion in the database is not JSON", damaged);
    }
    throw new IllegalStateException("a passkey's assertion in the database is not an object");
  }

  private static Bytes bytes(Json.Obj said, String name) {
    if (said.get(name) instanceof Json.Str(var text)) {
      return ApproverKey.signature(text);
    }
    throw new IllegalStateException("a passkey's assertion in the database lacks `" + name + "`");
  }
}
