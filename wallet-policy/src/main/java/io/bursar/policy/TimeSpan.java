package io.bursar.policy;

import java.time.Duration;
import java.time.ZoneId;

/**
 * A stretch of time that comes again and again: it starts whenever the cron expression fires by the clocks of the zone, and
 * lasts for the duration.
 *
 * @param cron five fields: minute, hour, day of month, month, day of week
 * @param duration 1 minute to 7 days
 */
public record TimeSpan(Cron cron, Duration duration, ZoneId zone) {}
