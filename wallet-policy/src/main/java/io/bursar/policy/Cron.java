package io.bursar.policy;

/** A five-field cron expression. */
public record Cron(String expression) {}
