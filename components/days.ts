export const dayMilliseconds = 86_400_000;

/** Returns how many whole days have passed since a time in milliseconds; less than 0 for one to come. */
export function daysSince(time: number, now = Date.now()): number {
  return Math.floor((now - time) / dayMilliseconds);
}
