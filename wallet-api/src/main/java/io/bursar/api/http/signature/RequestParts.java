package io.bursar.api.http.signature;

import java.util.List;
import java.util.Locale;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;

/**
 * What of a request can be signed, as it came and not as a server decodes it.
 *
 * @param host the header {@code Host}, with its port if it has one
 * @param path what comes before the question mark
 * @param query what comes after it; null where there is none
 * @param headers the lines of a header by its name, in any case; empty where there is none
 * @see <a href="https://www.rfc-editor.org/rfc/rfc9421#section-2">RFC 9421, HTTP Message Components</a>
 */
public record RequestParts(String method, String host, String path, @Nullable String query,
    Function<String, List<String>> headers) {

  /**
   * The value of a component as it is signed.
   *
   * @param scheme what the client took to be spoken, {@code https} or {@code http}
   * @throws Refused if the request has no such component, or one that cannot be signed
   */
  String value(String component, String scheme) throws Refused {
    var target = query == null ? path : path + "?" + query;
    return switch (component) {
      case "@method" -> method;
      case "@target-uri" -> scheme + "://" + authority(scheme) + target;
      case "@authority" -> authority(scheme);
      case "@scheme" -> scheme;
      case "@request-target" -> target;
      case "@path" -> path;
      case "@query" -> "?" + (query == null ? "" : query);
      default -> {
        if (component.startsWith("@")) {
          throw Refused.invalid("`" + component + "` cannot be covered here; cover " + RequestSignature.NEEDED);
        }
        yield header(component);
      }
    };
  }

  private String authority(String scheme) {
    var name = host.toLowerCase(Locale.ROOT);
    var port = scheme.equals("https") ? ":443" : ":80";
    return name.endsWith(port) ? name.substring(0, name.length() - port.length()) : name;
  }

  private String header(String name) throws Refused {
    var lines = headers.apply(name);
    if (lines.isEmpty()) {
      throw Refused.invalid("the signature covers `" + name + "`, and the request that came has no such header");
    }
    var value = String.join(", ", lines.stream().map(String::strip).toList());
    if (!value.chars().allMatch(c -> c == '\t' || (c >= ' ' && c <= '~'))) {
      throw Refused.invalid("the header `" + name + "` has other characters than ASCII, and cannot be covered");
    }
    return value;
  }
}
