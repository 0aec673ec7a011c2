import { z } from "zod";

/** How a preview ended. */
export interface PreviewOutcome {
  readonly stack: string;
  /** Exit status of the CLI. */
  readonly status: number;
  /** The engine's event log, one JSON object a line; empty where it did not get that far. */
  readonly events: string;
}

/**
 * The part of an engine event that goes into a report: names only. The events hold the values of properties too, and
 * debug messages among them even secrets in clear.
 */
const eventSchema = z.object({
  resourcePreEvent: z
    .object({
      metadata: z.object({
        op: z.string(),
        urn: z.string(),
        type: z.string(),
        diffs: z.array(z.string()).nullish(),
        detailedDiff: z.record(z.string(), z.unknown()).nullish(),
      }),
    })
    .optional(),
  policyEvent: z
    .object({ resourceUrn: z.string(), policyName: z.string(), message: z.string() })
    .optional(),
  summaryEvent: z.object({ resourceChanges: z.record(z.string(), z.number()) }).optional(),
});

/** The steps that people care about, in the order in which they are counted. */
const steps = [
  { op: "create", sign: "+", counted: "to create" },
  { op: "update", sign: "~", counted: "to update" },
  { op: "replace", sign: "±", counted: "to replace" },
  { op: "import", sign: "=", counted: "to import" },
  { op: "delete", sign: "−", counted: "to delete" },
  { op: "same", sign: "", counted: "unchanged" },
] as const;

/** A comment holds 65,536 characters, of which a row takes two hundred at most. */
const mostRows = 150;

/** A preview in Markdown: how many resources would change in which way, which ones, and what the policy pack says. */
export function previewReport({ stack, status, events }: PreviewOutcome): string {
  const seen = events
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => eventSchema.parse(JSON.parse(line)));
  const summary = seen.find(({ summaryEvent }) => summaryEvent)?.summaryEvent;
  const changes = seen.flatMap(({ resourcePreEvent }) => changeRow(resourcePreEvent?.metadata));
  const violations = seen.flatMap(({ policyEvent }) => violationRow(policyEvent));
  return [
    `### Preview of stack ${code(stack)}: ${summary ? counts(summary.resourceChanges) : "failed"}`,
    ...(status === 0 ? [] : ["", "**It is red**: the log says why."]),
    ...table("| | resource | kind | what changes |", changes),
    ...table("| broken rule | resource | what to do |", violations),
    "",
  ].join("\n");
}

function counts(changes: Readonly<Record<string, number>>): string {
  return steps
    .filter(({ op }) => changes[op])
    .map(({ op, counted }) => `${String(changes[op])} ${counted}`)
    .join(", ");
}

type Metadata = NonNullable<z.output<typeof eventSchema>["resourcePreEvent"]>["metadata"];

function changeRow(metadata: Metadata | undefined): string[] {
  const step = steps.find(({ op }) => op === metadata?.op);
  if (metadata === undefined || step === undefined || step.op === "same") {
    return [];
  }
  if (metadata.type.startsWith("pulumi:providers:")) {
    return [];
  }
  const properties = metadata.detailedDiff
    ? Object.keys(metadata.detailedDiff)
    : (metadata.diffs ?? []);
  return [
    `| ${step.sign} ${step.op} | ${resource(metadata.urn)} | ${kind(metadata.type)} | ${properties.sort().map(code).join(", ")} |`,
  ];
}

function violationRow(event: z.output<typeof eventSchema>["policyEvent"] | undefined): string[] {
  if (event === undefined) {
    return [];
  }
  // The rule's description comes first, then what is wrong here.
  const [, ...sentences] = event.message.trim().split("\n");
  return [
    `| ${code(event.policyName)} | ${resource(event.resourceUrn)} | ${plain(sentences.join(" "))} |`,
  ];
}

function table(head: string, rows: readonly string[]): string[] {
  if (rows.length === 0) {
    return [];
  }
  const more = rows.length - mostRows;
  return [
    "",
    head,
    head.replaceAll(/[^|]+/g, "---"),
    ...rows.slice(0, mostRows),
    ...(more > 0 ? ["", `… and ${more.toString()} more.`] : []),
  ];
}

function resource(urn: string): string {
  return code(urn.slice(urn.lastIndexOf("::") + 2));
}

/** `docker Container` of `docker:index/container:Container`. */
function kind(type: string): string {
  const parts = type.split(":");
  return plain(`${parts[0] ?? ""} ${parts.at(-1) ?? ""}`);
}

function code(text: string): string {
  return `\`${text.replaceAll("`", "'").replaceAll("|", "\\|")}\``;
}

/** Text that Markdown takes as it is, in one cell of a table. */
function plain(text: string): string {
  return text.replaceAll(/[\\`*_[\]<>|@#]/g, "\\$&");
}
