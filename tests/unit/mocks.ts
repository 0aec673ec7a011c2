import * as pulumi from "@pulumi/pulumi";
import { defaults } from "../../components/defaults";
import { Host } from "../../components/host";
import type { HostTarget } from "../../host/target";

/** Key and value by which the engine's wire format marks a secret. */
const secretMark = [
  "4dabf18193072939515e22adb298388d",
  "1b47061264138c4ac30d75fd1eb44270",
] as const;

/** A resource as the program declared it. */
export interface Declared {
  readonly type: string;
  readonly name: string;
  /** Its provider, as the URN and id; the default one has none. */
  readonly provider: string | undefined;
  /** Inputs with the marks of secrets taken off. */
  readonly inputs: Record<string, unknown>;
  /** Names of the inputs that hold a secret anywhere. */
  readonly secrets: string[];
}

/** Records the resources of a program. Generated passwords contain their resource's name; any call to a provider is an error. */
export class Recorder {
  readonly resources: Declared[] = [];
  /** Options of each resource by name; mocks alone don't show them. */
  readonly options = new Map<string, pulumi.CustomResourceOptions>();

  async start(stack = "test"): Promise<void> {
    // Pulumi formats a stack trace for each property; with Jest's 100 lines that is most of a test's time.
    Error.stackTraceLimit = 10;
    await pulumi.runtime.setMocks(
      {
        newResource: ({ type, name, inputs, provider }) => {
          const raw = inputs as Record<string, unknown>;
          this.resources.push({
            type,
            name,
            provider,
            inputs: unwrap(raw) as Record<string, unknown>,
            secrets: Object.keys(raw).filter((key) => holdsSecret(raw[key])),
          });
          const result =
            type === "random:index/randomPassword:RandomPassword"
              ? { result: `generated-${name}` }
              : name.endsWith("-kasm-people")
                ? { people: { "ann@kasm.local": "member", admin: "observer" } }
                : name.endsWith("-kasm-version")
                  ? { observed: "1.18.1" }
                  : {};
          return { id: `${name}-id`, state: { ...raw, ...result, imageId: `sha256:${name}` } };
        },
        call: ({ token }) => {
          throw new Error(`unexpected call of ${token}`);
        },
      },
      "openclaw",
      stack,
    );
  }

  /** Pass it to a component: it and all its children report their options. */
  readonly watch: pulumi.ResourceTransformation = (args) => {
    this.options.set(args.name, args.opts);
    return undefined;
  };

  clear(): void {
    this.resources.length = 0;
    this.options.clear();
  }

  /** The one resource of this name. */
  get(name: string): Declared {
    const found = this.resources.filter((resource) => resource.name === name);
    if (found.length !== 1 || found[0] === undefined) {
      throw new Error(
        `${found.length.toString()} resources named ${name} among ${this.names().join(", ")}`,
      );
    }
    return found[0];
  }

  names(): string[] {
    return this.resources.map(({ name }) => name).sort();
  }
}

/** A host that is reached as a test says. */
export function hostAt(target: HostTarget): Host {
  const { kasmDirectory } = defaults;
  const parts = { target: pulumi.output(target), providers: [], address: undefined, kasmDirectory };
  return Object.assign(Object.create(Host.prototype) as Host, parts);
}

/** The value of an output. */
export function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => output.apply(resolve));
}

function isMarked(value: unknown): value is { value: unknown } {
  return (
    typeof value === "object" &&
    value !== null &&
    (value as Record<string, unknown>)[secretMark[0]] === secretMark[1]
  );
}

function holdsSecret(value: unknown): boolean {
  return (
    isMarked(value) ||
    (typeof value === "object" && value !== null && Object.values(value).some(holdsSecret))
  );
}

function unwrap(value: unknown): unknown {
  if (isMarked(value)) {
    return unwrap(value.value);
  }
  if (Array.isArray(value)) {
    return value.map(unwrap);
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, unwrap(entry)]));
  }
  return value;
}
