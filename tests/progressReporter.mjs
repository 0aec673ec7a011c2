// Says how each test ended as soon as it has: a file of end-to-end tests takes minutes, and Jest tells of it at its end.
export default class {
  onTestCaseResult(_test, { status, ancestorTitles, title, duration }) {
    const mark = status === "passed" ? "✓" : "✗";
    const seconds = ((duration ?? 0) / 1000).toFixed(1);
    process.stderr.write(`  ${mark} ${[...ancestorTitles, title].join(" › ")} (${seconds} s)\n`);
  }
}
