package io.bursar.api.http;

import java.io.IOException;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

import org.jspecify.annotations.Nullable;
import org.springframework.dao.DataAccessException;
import org.springframework.security.authentication.AbstractAuthenticationToken;
import org.springframework.security.core.GrantedAuthority;
import org.springframework.security.core.authority.SimpleGrantedAuthority;
import org.springframework.security.core.context.SecurityContextHolder;
import org.springframework.transaction.TransactionException;

import io.bursar.spend.Id;
import io.bursar.store.ApiKeys;
import io.bursar.store.Database;
import io.bursar.store.Directory;
import io.bursar.store.Tally;
import jakarta.servlet.FilterChain;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpFilter;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;

/**
 * Finds out who calls, by {@code Authorization: Bearer <key>}. A key that was good is believed for {@link #BELIEVED} without
 * asking the database again, so a revoked key dies within that time in every process, and at once in the one that revoked it.
 * What a key that is bound to a key pair asks for must be signed besides ({@link SignedRequests}).
 */
public final class Authentication extends HttpFilter {
  static final Duration BELIEVED = Duration.ofSeconds(1);

  private static final String BEARER = "Bearer ";
  private static final int SECRET_LENGTH_MAX = 512;
  private static final int KNOWN_MAX = 100_000;

  /** Whose key it is; {@code bound} is the key where a key pair must have signed its requests, and null otherwise. */
  private record Identified(Caller caller, ApiKeys.@Nullable ApiKey bound) {}

  private record Known(CallerToken token, ApiKeys.@Nullable ApiKey bound, RequestRate rate, long untilNanos) {}

  private final ApiKeys keys;
  private final Directory directory;
  private final byte[] operatorHash;
  private final transient SignedRequests signed;
  private final Tally tally;
  private final int requestsPerSecond;
  private final transient ConcurrentHashMap<String, Known> known = new ConcurrentHashMap<>();

  public Authentication(ApiKeys keys, Directory directory, Database.Secret operatorKey, SignedRequests signed,
      Tally tally, int requestsPerSecond) {
    this.keys = keys;
    this.directory = directory;
    this.operatorHash = ApiKeys.hash(operatorKey.value());
    this.signed = signed;
    this.tally = tally;
    this.requestsPerSecond = requestsPerSecond;
  }

  /** A caller as Spring Security sees one. */
  static final class CallerToken extends AbstractAuthenticationToken {
    private final transient Caller caller;

    CallerToken(Caller caller) {
      super(authorities(caller));
      this.caller = caller;
      setAuthenticated(true);
    }

    private static List<GrantedAuthority> authorities(Caller caller) {
      return switch (caller.role()) {
        case OPERATOR -> List.of(new SimpleGrantedAuthority("ROLE_OPERATOR"), new SimpleGrantedAuthority("ROLE_ADMIN"));
        case ADMIN -> List.of(new SimpleGrantedAuthority("ROLE_ADMIN"));
        case AGENT -> List.of(new SimpleGrantedAuthority("ROLE_AGENT"));
        case APPROVER -> List.of(new SimpleGrantedAuthority("ROLE_APPROVER"));
        case AUDITOR -> List.of(new SimpleGrantedAuthority("ROLE_AUDITOR"));
      };
    }

    @Override
    public Object getCredentials() {
      return "REDACTED";
    }

    @Override
    public Caller getPrincipal() {
      return caller;
    }
  }

  @Override
  protected void doFilter(HttpServletRequest request, HttpServletResponse response, FilterChain chain)
      throws ServletException, IOException {
    response.setHeader("X-Content-Type-Options", "nosniff");
    response.setHeader("Cache-Control", "no-store");
    var header = request.getHeader("Authorization");
    var accepted = request;
    if (header != null && isBearer(header) && header.length() <= SECRET_LENGTH_MAX) {
      try {
        var caller = caller(header.substring(BEARER.length()));
        if (caller.isPresent()) {
          int wait = caller.get().rate().secondsToWait();
          if (wait > 0) {
            Problems.write(response,
                Problem.retryAfter(ProblemCode.RATE_LIMITED,
                    "a key may make " + requestsPerSecond + " requests a second", wait));
            return;
          }
          var bound = caller.get().bound();
          if (bound != null) {
            accepted = signed(request, bound);
          }
          var context = SecurityContextHolder.createEmptyContext();
          context.setAuthentication(caller.get().token());
          SecurityContextHolder.setContext(context);
        }
      } catch (Problem refused) {
        if (refused.code().status() == 401) {
          response.setHeader("WWW-Authenticate", "Bearer");
        }
        Problems.write(response, refused);
        return;
      } catch (DataAccessException | TransactionException e) {
        Problems.write(response, Problem.retryAfter(ProblemCode.DATABASE_UNAVAILABLE,
            "the key cannot be checked now; send the same request again", 1));
        return;
      }
    }
    chain.doFilter(accepted, response);
  }

  /** Whoever has the secret and not the private key is, most likely, not who the key was given to: that is counted. */
  private HttpServletRequest signed(HttpServletRequest request, ApiKeys.ApiKey bound) {
    try {
      return signed.letThrough(request, bound);
    } catch (Problem refused) {
      if (refused.code().status() == 401) {
        tally.failedLogin(bound);
      }
      throw refused;
    }
  }

  private Optional<Known> caller(String secret) {
    var hash = ApiKeys.hash(secret);
    var name = HexFormat.of().formatHex(hash);
    var remembered = known.get(name);
    if (remembered != null && remembered.untilNanos() - System.nanoTime() > 0) {
      return Optional.of(remembered);
    }
    var found = MessageDigest.isEqual(hash, operatorHash) ? operator() : issued(secret).map(Authentication::identified);
    if (found.isEmpty()) {
      known.remove(name);
      return Optional.empty();
    }
    if (known.size() >= KNOWN_MAX) {
      known.clear();
    }
    var rate = remembered == null ? new RequestRate(requestsPerSecond) : remembered.rate();
    var believed = new Known(new CallerToken(found.get().caller()), found.get().bound(), rate,
        System.nanoTime() + BELIEVED.toNanos());
    known.put(name, believed);
    return Optional.of(believed);
  }

  /** The scheme's name is told without regard to case (RFC 9110, 11.1). */
  private static boolean isBearer(String header) {
    return header.regionMatches(true, 0, BEARER, 0, BEARER.length());
  }

  /** Whether the key of a request that goes on for long is still good. */
  public boolean believes(HttpServletRequest request) {
    var header = request.getHeader("Authorization");
    return header != null && isBearer(header) && caller(header.substring(BEARER.length())).isPresent();
  }

  private Optional<ApiKeys.ApiKey> issued(String secret) {
    var issued = keys.known(secret);
    if (issued.isEmpty()) {
      tally.failedLoginOfStranger();
    }
    issued.filter(key -> key.revokedAt() != null).ifPresent(tally::failedLogin);
    return issued.filter(key -> key.revokedAt() == null);
  }

  private Optional<Identified> operator() {
    return directory.tenantNamed(Directory.DEFAULT_TENANT)
        .map(tenant -> new Identified(new Caller(Caller.Role.OPERATOR, tenant.id(), null, null, "operator"), null));
  }

  private static Identified identified(ApiKeys.ApiKey key) {
    var role = switch (key.role()) {
      case ADMIN -> Caller.Role.ADMIN;
      case AGENT -> Caller.Role.AGENT;
      case APPROVER -> Caller.Role.APPROVER;
      case AUDITOR -> Caller.Role.AUDITOR;
    };
    return new Identified(new Caller(role, key.tenantId(), key.agentId(), key.approverId(), Id.API_KEY.text(key.id())),
        key.publicKey() == null ? null : key);
  }

  /** A key was revoked in this process: it must be asked for again. */
  public void forget() {
    known.clear();
  }
}
