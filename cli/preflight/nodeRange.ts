import { compareVersions } from "../backup/backupFile";

/**
 * Whether a version of Node is in a range of npm's, such as `>=24.16.0 <25 || >=26.1.0`.
 * @returns undefined for a range in another form
 */
export function isInRange(version: string, range: string): boolean | undefined {
  const alternatives = range.split("||").map((each) =>
    each
      .trim()
      .replace(/([<>=])\s+/g, "$1")
      .split(/\s+/),
  );
  const results = alternatives.map((comparators) =>
    comparators.map((comparator) => compares(version, comparator)),
  );
  if (results.flat().includes(undefined)) {
    return undefined;
  }
  return results.some((alternative) => alternative.every(Boolean));
}

function compares(version: string, comparator: string): boolean | undefined {
  const [, operator, bound = ""] = /^(>=|<=|>|<|=)\s*v?(\d+(?:\.\d+){0,2})$/.exec(comparator) ?? [];
  // In npm's form `>24` and `<=24` count all of 24 in, which no version of OpenClaw has used.
  const isWhole = bound.split(".").length === 3;
  const difference = compareVersions(version, bound);
  switch (operator) {
    case ">=":
      return difference >= 0;
    case "<":
      return difference < 0;
    case ">":
      return isWhole ? difference > 0 : undefined;
    case "<=":
      return isWhole ? difference <= 0 : undefined;
    case "=":
      return isWhole ? difference === 0 : undefined;
    default:
      return undefined;
  }
}
