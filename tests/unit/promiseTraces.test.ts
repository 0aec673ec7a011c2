import "../../pulumi/promiseTraces";
import * as docker from "@pulumi/docker";
import { Recorder, valueOf } from "./mocks";

/** How many lines of stack traces are formatted by what is run. */
async function formattedLines(work: () => Promise<unknown>): Promise<number> {
  const previous = Object.getOwnPropertyDescriptor(Error, "prepareStackTrace");
  let lines = 0;
  Error.prepareStackTrace = (_, sites) => {
    lines += sites.length;
    return "";
  };
  try {
    await work();
  } finally {
    Object.defineProperty(Error, "prepareStackTrace", previous ?? { value: undefined });
  }
  return lines;
}

test("a resource costs no stack trace for each of its properties", async () => {
  await new Recorder().start();

  const lines = await formattedLines(() =>
    valueOf(new docker.Container("gateway", { image: "light" }).urn),
  );

  // One trace, of all callers: where the program declares it.
  expect(lines).toBeLessThan(200);
});

test("errors keep their stack traces", () => {
  expect(new Error("any").stack).toContain("promiseTraces.test.ts");
});
