// Reports each test's result as soon as it has one: a file of end-to-end tests needs minutes, and Jest reports only at its end.
export default class {
  onTestCaseResult(_test, { status, ancestorTitles, title, duration }) {
    const mark = status === "passed" ? "✓" : "✗";
    const seconds = ((duration ?? 0) / 1000).toFixed(1);
    process.stderr.write(`  ${mark} ${[...ancestorTitles, title].join(" › ")} (${seconds} s)\n`);
  }
}
