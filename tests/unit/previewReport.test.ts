import { previewReport } from "../../pulumi/previewReport";

const prefix = "urn:pulumi:kasm::openclaw::openclaw:index:OpenClawStandalone$";
const container = `${prefix}docker:index/container:Container::openclaw-container`;

function step(op: string, urn: string, more: object = {}): string {
  const type = urn.split("::")[2]?.split("$").at(-1);
  const secret = { inputs: { password: "in-clear" } };
  return JSON.stringify({
    resourcePreEvent: { metadata: { op, urn, type, new: secret, ...more } },
  });
}

function summary(resourceChanges: object): string {
  return JSON.stringify({ sequence: 9, summaryEvent: { isPreview: true, resourceChanges } });
}

function events(...lines: string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

test("counts changes and lists them by resource with the names of changed properties", () => {
  const report = previewReport({
    stack: "kasm",
    status: 0,
    events: events(
      step("refresh", container),
      step("create", "urn:pulumi:kasm::openclaw::pulumi:providers:docker::default_5_2_0"),
      step("same", `${prefix}docker:index/network:Network::openclaw-network`),
      step("create-replacement", container, { diffs: ["memory"] }),
      step("replace", container, {
        diffs: ["memory", "ports"],
        detailedDiff: { "ports[0].ip": { diffKind: "update-replace" }, memory: {} },
      }),
      step("update", `${prefix}command:local:Command::openclaw-ready`, { diffs: ["stdin"] }),
      step("delete", `${prefix}random:index/randomPassword:RandomPassword::openclaw-token`),
      step("delete-replaced", container),
      summary({ same: 4, replace: 1, update: 1, delete: 1 }),
    ),
  });

  expect(report).toBe(
    [
      "### Preview of stack `kasm`: 1 to update, 1 to replace, 1 to delete, 4 unchanged",
      "",
      "| | resource | kind | what changes |",
      "|---|---|---|---|",
      "| ± replace | `openclaw-container` | docker Container | `memory`, `ports[0].ip` |",
      "| ~ update | `openclaw-ready` | command Command | `stdin` |",
      "| − delete | `openclaw-token` | random RandomPassword |  |",
      "",
    ].join("\n"),
  );
});

test("shows no table without changes", () => {
  expect(previewReport({ stack: "kasm", status: 0, events: summary({ same: 9 }) })).toBe(
    "### Preview of stack `kasm`: 9 unchanged\n",
  );
});

test("lists policy violations, escaped for Markdown", () => {
  const policyEvent = {
    resourceUrn: container,
    policyName: "images-pinned",
    message: "Images are pinned.\nIts image <b>|@me/[x](http://x) may be another one.\n",
  };
  const report = previewReport({
    stack: "kasm",
    status: 255,
    events: events(JSON.stringify({ policyEvent }), summary({ same: 9 })),
  });

  expect(report).toBe(
    [
      "### Preview of stack `kasm`: 9 unchanged",
      "",
      "**It is red**: the log says why.",
      "",
      "| broken rule | resource | what to do |",
      "|---|---|---|",
      "| `images-pinned` | `openclaw-container` | Its image \\<b\\>\\|\\@me/\\[x\\](http://x) may be another one. |",
      "",
    ].join("\n"),
  );
});

test("a preview that never ran has failed", () => {
  expect(previewReport({ stack: "kasm", status: 1, events: "" })).toBe(
    "### Preview of stack `kasm`: failed\n\n**It is red**: the log says why.\n",
  );
});

test("contains no property values and no messages of the program", () => {
  const report = previewReport({
    stack: "kasm",
    status: 1,
    events: events(
      JSON.stringify({ diagnosticEvent: { severity: "debug", message: "value: in-clear" } }),
      JSON.stringify({ preludeEvent: { config: { "openclaw:password": "in-clear" } } }),
      step("update", container, { diffs: ["uploads"] }),
      summary({ update: 1 }),
    ),
  });

  expect(report).toContain("`uploads`");
  expect(report).not.toContain("in-clear");
});

test("limits a comment to GitHub's maximum length", () => {
  const many = Array.from({ length: 2000 }, (_, index) => step("create", `${container}-${index}`));
  const report = previewReport({ stack: "kasm", status: 0, events: events(...many) });

  expect(report.length).toBeLessThan(65_536);
  expect(report).toContain("… and 1850 more.");
});
