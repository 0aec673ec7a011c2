// When a backup is due: pure, so that a test can ask for any time.

/** Minutes from a failed attempt to the next one. */
const retryMinutes = 15;

/**
 * Returns the last time at which a backup was to begin, in milliseconds.
 * @param time of the day in UTC, `HH:MM`
 */
export function lastScheduled(now, time) {
  const [hours, minutes] = time.split(":").map(Number);
  const today = new Date(now).setUTCHours(hours, minutes, 0, 0);
  return today <= now ? today : today - 24 * 3_600_000;
}

/**
 * Checks whether a backup is missing, also one that the machine was off for.
 * @param state `since` is the first start, `good` the time of the last good backup if there is one
 */
export function isMissing({ since, good }, now, time) {
  return Date.parse(good ?? since) < lastScheduled(now, time);
}

/**
 * Checks whether to go to the storage now: once after the start, at each scheduled time, and again after a failure.
 * @param state `attempt` is the time of the last one, `problem` what was wrong with it, `wait` whether that is still wrong before the next day
 */
export function isDue({ attempt, problem, wait }, now, time) {
  const attempted = attempt === undefined ? 0 : Date.parse(attempt);
  return (
    attempted < lastScheduled(now, time) ||
    (problem !== undefined && wait === undefined && now - attempted >= retryMinutes * 60_000)
  );
}
