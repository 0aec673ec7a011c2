import { isInRange } from "../../cli/preflight/nodeRange";

const present = ">=24.16.0 <25 || >=26.1.0";
const later = ">=24.22.1 <25 || >=26.12.1";

test.each<[version: string, range: string, isIn: boolean | undefined]>([
  ["24.21.0", present, true],
  ["24.21.0", later, false],
  ["24.22.1", later, true],
  ["25.0.0", present, false],
  ["26.12.1", later, true],
  ["26.12.0", later, false],
  ["27.0.0", later, true],
  ["22.19.0", ">=22.19", true],
  ["22.18.9", ">= 22.19.0", false],
  ["26.1.0", "=26.1.0", true],
  ["26.1.0", "<=26.0.9", false],
  ["24.22.1", "^24.22.0", undefined],
  ["24.22.1", ">24", undefined],
  ["24.22.1", "24.x", undefined],
  ["24.22.1", "", undefined],
])("%s in %s: %s", (version, range, isIn) => {
  expect(isInRange(version, range)).toBe(isIn);
});
