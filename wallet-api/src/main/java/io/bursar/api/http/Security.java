package io.bursar.api.http;

import static org.springframework.http.HttpMethod.DELETE;
import static org.springframework.http.HttpMethod.GET;
import static org.springframework.http.HttpMethod.HEAD;
import static org.springframework.http.HttpMethod.POST;
import static org.springframework.http.HttpMethod.PUT;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.security.config.annotation.web.builders.HttpSecurity;
import org.springframework.security.config.annotation.web.configuration.EnableWebSecurity;
import org.springframework.security.config.annotation.web.configurers.AbstractHttpConfigurer;
import org.springframework.security.config.observation.SecurityObservationSettings;
import org.springframework.security.web.DefaultSecurityFilterChain;
import org.springframework.security.web.SecurityFilterChain;
import org.springframework.security.web.access.ExceptionTranslationFilter;
import org.springframework.security.web.access.intercept.AuthorizationFilter;
import org.springframework.security.web.firewall.HttpFirewall;
import org.springframework.security.web.firewall.StrictHttpFirewall;

/** Which role may make which call. What is not listed is refused. */
@Configuration(proxyBeanMethods = false)
@EnableWebSecurity
public class Security {
  private static final String OPERATOR = "OPERATOR";
  private static final String ADMIN = "ADMIN";
  private static final String AGENT = "AGENT";
  private static final String APPROVER = "APPROVER";
  private static final String AUDITOR = "AUDITOR";
  private static final String NOBODY = "NOBODY";

  /** Requests are measured as a whole; a measurement of each filter besides costs more than the filters do. */
  @Bean
  SecurityObservationSettings securityObservationSettings() {
    return SecurityObservationSettings.noObservations();
  }

  /** The container has parsed the headers already, and refuses control characters in them itself. */
  @Bean
  HttpFirewall httpFirewall() {
    var firewall = new StrictHttpFirewall();
    firewall.setAllowedHeaderNames(name -> true);
    firewall.setAllowedHeaderValues(value -> true);
    firewall.setUnsafeAllowAnyHttpMethod(true); // a method that no path has is answered with 405, not as unreadable
    return firewall;
  }

  /**
   * Three filters: who calls, what a refusal looks like, who may. Those for sessions, forms, redirects and pages, which wrap
   * every request, are left out: there is nothing here that they could do.
   */
  @Bean
  SecurityFilterChain securityFilterChain(HttpSecurity http, Authentication authentication) {
    var chain = calls(http, authentication);
    return new DefaultSecurityFilterChain(chain.getRequestMatcher(), chain.getFilters().stream()
        .filter(filter -> filter instanceof Authentication || filter instanceof ExceptionTranslationFilter
            || filter instanceof AuthorizationFilter)
        .toList());
  }

  private static DefaultSecurityFilterChain calls(HttpSecurity http, Authentication authentication) {
    return http.csrf(AbstractHttpConfigurer::disable).formLogin(AbstractHttpConfigurer::disable)
        .httpBasic(AbstractHttpConfigurer::disable).logout(AbstractHttpConfigurer::disable)
        .requestCache(AbstractHttpConfigurer::disable).anonymous(AbstractHttpConfigurer::disable)
        .sessionManagement(AbstractHttpConfigurer::disable)
        .addFilterBefore(authentication, ExceptionTranslationFilter.class)
        .authorizeHttpRequests(calls -> calls
            .requestMatchers(POST, "/v1/spends", "/v1/spends/batch", "/v1/spends/dry-run").hasRole(AGENT)
            .requestMatchers(GET, "/v1/spends", "/v1/spends/{id}").hasAnyRole(AGENT, ADMIN, APPROVER, AUDITOR)
            .requestMatchers(POST, "/v1/spends/{id}/cancel").hasAnyRole(AGENT, ADMIN, APPROVER)
            .requestMatchers(POST, "/v1/spends/{id}/approvals").hasRole(APPROVER)
            .requestMatchers(GET, "/v1/approvals").hasRole(APPROVER)
            .requestMatchers(POST, "/v1/change-requests/{id}/approvals").hasRole(APPROVER)
            .requestMatchers(GET, "/v1/change-requests", "/v1/change-requests/{id}",
                "/v1/change-requests/{id}/rehearsal",
                "/v1/change-control")
            .hasAnyRole(ADMIN, APPROVER, AUDITOR)
            .requestMatchers(POST, "/v1/change-requests/{id}/break-glass").hasRole(ADMIN)
            .requestMatchers(PUT, "/v1/change-control/{scope}").hasRole(ADMIN)
            .requestMatchers(DELETE, "/v1/change-control/{scope}").hasRole(ADMIN)
            .requestMatchers(GET, "/v1/spends/{id}/approval-text").hasAnyRole(ADMIN, APPROVER, AUDITOR)
            .requestMatchers(GET, "/v1/authorizations", "/v1/authorizations/export",
                "/v1/authorizations/{id}")
            .hasAnyRole(AUDITOR, ADMIN)
            .requestMatchers(GET, "/v1/audit/activity", "/v1/audit/denials", "/v1/audit/limits",
                "/v1/audit/policy-changes", "/v1/audit/unbroadcast", "/v1/audit/unauthorized-transactions",
                "/v1/audit/reserves", "/v1/audit/evidence")
            .hasAnyRole(AUDITOR, ADMIN)
            .requestMatchers(GET, "/v1/wallets", "/v1/wallets/{id}", "/v1/wallets/{id}/balances",
                "/v1/wallets/{id}/deposits", "/v1/wallets/{id}/funding-rules",
                "/v1/wallets/{id}/settlement")
            .hasAnyRole(ADMIN, AGENT, AUDITOR)
            .requestMatchers(GET, "/v1/assets", "/v1/assets/{id}/settlement", "/v1/events").authenticated()
            .requestMatchers("/v1/webhooks", "/v1/webhooks/{id}", "/v1/webhooks/{id}/enable",
                "/v1/webhooks/{id}/replay", "/v1/webhooks/{id}/deliveries")
            .hasRole(ADMIN)
            .requestMatchers(POST, "/v1/wallets/{id}/freeze").hasAnyRole(ADMIN, APPROVER)
            .requestMatchers(GET, "/v1/relayers").hasRole(OPERATOR)
            .requestMatchers(GET, "/v1/wallets/{id}/rotation").hasAnyRole(ADMIN, AUDITOR)
            .requestMatchers(POST, "/v1/wallets/{id}/rotation", "/v1/wallets/{id}/rotation/sweep",
                "/v1/wallets/{id}/rotation/archive")
            .hasRole(ADMIN)
            .requestMatchers(POST, "/v1/policies/validate", "/v1/policies/{id}/backtest", "/v1/policies/{id}/analysis",
                "/v1/replay")
            .hasAnyRole(ADMIN, AUDITOR)
            .requestMatchers(GET, "/v1/policies", "/v1/policies/{id}", "/v1/policy-attachments",
                "/v1/policy-attachments/{target}/{id}", "/v1/agents", "/v1/agents/{id}", "/v1/approvers",
                "/v1/approver-groups", "/v1/value-sets", "/v1/value-sets/{name}",
                "/v1/value-sets/{name}/versions/{version}/values")
            .hasAnyRole(ADMIN, AUDITOR)
            .requestMatchers("/v1/diagnosis", "/v1/tenants", "/v1/tenants/{id}/lane", "/v1/tenants/{id}/lane/stop",
                "/v1/tenants/{id}/lane/resume", "/v1/tenants/{id}/lane/recount")
            .hasRole(OPERATOR)
            .requestMatchers(GET, "/log/**").permitAll() // the tenant may have published it; LogController asks
            .requestMatchers(GET, "/v1/log", "/v1/authorizations/{id}/proof").hasAnyRole(AUDITOR, ADMIN)
            .requestMatchers(POST, "/v1/log/publish", "/v1/log/unpublish", "/v1/log/resume",
                "/v1/spends/{id}/erase-text")
            .hasRole(ADMIN)
            .requestMatchers("/v1/tenants").hasRole(OPERATOR)
            .requestMatchers(GET, "/v1/api-keys").hasRole(ADMIN)
            .requestMatchers(POST, "/v1/agents", "/v1/agents/{id}/suspend", "/v1/agents/{id}/resume", "/v1/api-keys",
                "/v1/wallets",
                "/v1/wallets/{id}/unfreeze", "/v1/assets", "/v1/policies",
                "/v1/policies/{id}/versions",
                "/v1/policies/{id}/publish", "/v1/approvers", "/v1/approver-groups", "/v1/value-sets",
                "/v1/value-sets/{name}/versions", "/v1/dev/faucet")
            .hasRole(ADMIN)
            .requestMatchers(DELETE, "/v1/api-keys/{id}", "/v1/policy-attachments/{target}/{id}",
                "/v1/wallets/{id}/funding-rules")
            .hasRole(ADMIN)
            .requestMatchers(PUT, "/v1/wallets/{id}/funding-rules", "/v1/wallets/{id}/settlement",
                "/v1/assets/{id}/settlement")
            .hasRole(ADMIN)
            .requestMatchers(PUT, "/v1/policy-attachments/{target}/{id}", "/v1/approvers/{id}/key",
                "/v1/approver-groups/{id}", "/v1/agents/{id}/principals")
            .hasRole(ADMIN)
            .requestMatchers(GET, "/openapi.yaml", "/actuator/health", "/actuator/health/liveness",
                "/actuator/health/readiness")
            .permitAll()
            .requestMatchers(GET, "/actuator/prometheus").hasRole(OPERATOR)
            .requestMatchers(HEAD, "/openapi.yaml", "/actuator/health", "/actuator/health/liveness",
                "/actuator/health/readiness")
            .permitAll()
            .requestMatchers(HEAD, "/**").hasRole(NOBODY) // it would be answered as a GET that other roles may not make
            .anyRequest().authenticated())
        .exceptionHandling(refused -> refused
            .authenticationEntryPoint((request, response, e) -> {
              response.setHeader("WWW-Authenticate", "Bearer");
              Problems.write(response, Problem.of(ProblemCode.UNAUTHENTICATED,
                  "send `Authorization: Bearer <key>` with a key that is not revoked"));
            })
            .accessDeniedHandler((request, response, e) -> Problems.write(response,
                Problem.of(ProblemCode.FORBIDDEN, "the role of this key does not include this call"))))
        .build();
  }
}
