package io.bursar.api.events;

import io.bursar.api.http.Caller;
import io.bursar.store.events.Event;

/**
 * Which events a caller may see: administrators and auditors all of their tenant; an agent what happens to its own spends and wallets and to
 * itself; an approver what happens to spends, approvals and requests for change.
 */
final class EventScope {
  private EventScope() {}

  static boolean shows(Caller caller, Event event) {
    return switch (caller.role()) {
      case OPERATOR, ADMIN, AUDITOR -> true;
      case AGENT -> event.agentId() != null && event.agentId().equals(caller.agentId());
      case APPROVER -> switch (event.type().substring(0, Math.max(0, event.type().indexOf('.')))) {
        case "spend", "approval", "change" -> true;
        default -> false;
      };
    };
  }
}
