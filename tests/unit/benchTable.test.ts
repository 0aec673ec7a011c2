import { comparisonTable, median, misses, ratio, withTables } from "../../dev/bench/table";

const unchanged = {
  what: "`up` without changes",
  beside: "an empty program",
  ours: [3, 1, 2],
  theirs: [1, 1, 4],
  wanted: 1.5,
};

test.each([
  [[3, 1, 2], 2],
  [[4, 1, 2, 3], 2.5],
  [[7], 7],
])("the median of %j is %d", (numbers, expected) => {
  expect(median(numbers)).toBe(expected);
});

test("a ratio is that of the medians, so one slow run does not change it", () => {
  expect(ratio(unchanged)).toBe(2);
});

test("a table shows seconds, the ratio and the target", () => {
  expect(comparisonTable([unchanged])).toBe(
    [
      "| measured | ours | beside it | ratio | wanted |",
      "|---|---|---|---|---|",
      "| `up` without changes | 2.00 s | 1.00 s (an empty program) | 2.00 | ≤ 1.5 |",
    ].join("\n"),
  );
});

test("reports only values above their target", () => {
  const fine = { ...unchanged, ours: [1], theirs: [1] };
  const logins = [
    { what: "first `up`", made: 9 },
    { what: "`up` without changes", made: 4, wanted: 3 },
  ];

  expect(misses([unchanged, fine], logins)).toEqual([
    "`up` without changes: ratio 2.00, wanted 1.5 at most",
    "`up` without changes: 4 SSH logins, wanted 3 at most",
  ]);
});

test("replaces tables with the same head, and keeps the text around them", () => {
  const text = "before\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n| c |\n|---|\n| 3 |\n\nafter\n";

  expect(withTables(text, ["| a | b |\n|---|---|\n| 4 | 5 |\n| 6 | 7 |"])).toBe(
    "before\n\n| a | b |\n|---|---|\n| 4 | 5 |\n| 6 | 7 |\n\n| c |\n|---|\n| 3 |\n\nafter\n",
  );
  expect(() => withTables(text, ["| other |\n|---|"])).toThrow("| other |");
});
