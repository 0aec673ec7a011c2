import { readArguments } from "../../cli/pulumi";

describe("the plain CLI's arguments", () => {
  test.each<[args: string, operation: string | undefined, stack: string | undefined]>([
    ["up --yes --stack kasm", "up", "kasm"],
    ["--color always up -s kasm", "up", "kasm"],
    ["--color=always up", "up", undefined],
    ["-C . destroy --stack=organization/openclaw/kasm", "destroy", "organization/openclaw/kasm"],
    ["-v 9 --tracing file:./trace refresh", "refresh", undefined],
    ["-v=9 --non-interactive preview --diff", "preview", undefined],
    ["stack output password --stack kasm", "stack", "kasm"],
    ["--version", undefined, undefined],
  ])("%s", (args, operation, stack) => {
    const { operation: found, stack: named } = readArguments(args.split(" "));

    expect([found, named]).toEqual([operation, stack]);
  });
});
