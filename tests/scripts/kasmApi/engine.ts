import type { LateProvider } from "../../../providers/lateResource";

type Props = Record<string, unknown>;
type Provider = LateProvider<Props, Props>;

/** What the engine keeps of a resource. */
export interface Kept {
  readonly id: string;
  readonly inputs: Props;
  readonly outputs: Props;
  /** Whether the last run failed after the resource was made. */
  readonly unfinished: boolean;
}

/** What a run did to the resource. */
export type Step = "created" | "same" | "updated" | "replaced" | "deleted" | "gone";

/**
 * Does with one resource what Pulumi's engine does (pkg/resource/deploy of 3.250), with the state in memory: a failed
 * create leaves nothing, unless the error carries an id; a resource like that is updated by the next run even without
 * a difference; a failed step otherwise leaves the state as it was.
 */
export class Engine<Inputs extends object> {
  /** Undefined before the first run and after the resource is gone. */
  kept: Kept | undefined;
  private readonly provider: Provider;

  constructor(provider: object) {
    this.provider = provider as Provider;
  }

  async up(declared: Inputs): Promise<Step> {
    const inputs = await this.check(declared);
    if (this.kept === undefined) {
      await this.create(inputs);
      return "created";
    }
    const { id, outputs, unfinished } = this.kept;
    const diff = await this.provider.diff(id, outputs, inputs);
    if (diff.replaces && diff.replaces.length > 0) {
      await this.destroy();
      await this.create(inputs);
      return "replaced";
    }
    if (diff.changes === true || unfinished) {
      const { outs = {} } = await this.provider.update(id, outputs, inputs);
      this.kept = { id, inputs, outputs: throughTheWire(outs), unfinished: false };
      return "updated";
    }
    this.kept = { ...this.kept, inputs };
    return "same";
  }

  /** Names of the inputs that a preview would show as changed. */
  async preview(declared: Inputs): Promise<string[]> {
    const inputs = await this.check(declared);
    const { inputs: olds = {} } = this.kept ?? {};
    const names = [...new Set([...Object.keys(inputs), ...Object.keys(olds)])];
    return names.filter((name) => JSON.stringify(inputs[name]) !== JSON.stringify(olds[name]));
  }

  /** Names of the outputs in which the resource differs from the state. */
  async refresh(): Promise<string[]> {
    if (this.kept === undefined) {
      return [];
    }
    const { id, inputs: oldInputs, outputs } = this.kept;
    const read = await this.provider.read(id, outputs);
    if (!read.id) {
      this.kept = undefined;
      return ["id"];
    }
    const props = throughTheWire(read.props ?? {});
    const inputs = read.inputs === undefined ? oldInputs : throughTheWire(read.inputs);
    this.kept = { id: read.id, inputs, outputs: props, unfinished: false };
    return Object.keys(props).filter(
      (name) => JSON.stringify(props[name]) !== JSON.stringify(outputs[name]),
    );
  }

  async destroy(): Promise<Step> {
    if (this.kept === undefined) {
      return "gone";
    }
    await this.provider.delete(this.kept.id, this.kept.outputs);
    this.kept = undefined;
    return "deleted";
  }

  /** What is wrong is the error; of a property that it is tied to, the engine prints the value. */
  private async check(declared: Inputs): Promise<Props> {
    const olds = this.kept?.inputs ?? {};
    const { inputs = {}, failures = [] } = await this.provider.check(olds, {
      ...(declared as Props),
    });
    if (failures.length > 0) {
      const lines = failures.map(
        ({ property, reason }) => `${property && JSON.stringify(inputs[property])}${reason}`,
      );
      throw new Error(lines.join("\n"));
    }
    return throughTheWire(inputs);
  }

  private async create(inputs: Props): Promise<void> {
    try {
      const { id, outs = {} } = await this.provider.create(inputs);
      this.kept = { id, inputs, outputs: throughTheWire(outs), unfinished: false };
    } catch (error) {
      const { id, properties } = error as { id?: string; properties?: Props };
      if (id !== undefined) {
        const outputs = throughTheWire(properties ?? {});
        this.kept = { id, inputs, outputs, unfinished: true };
      }
      throw error;
    }
  }
}

/** As gRPC hands properties over: plain values, nothing undefined. */
function throughTheWire(props: Props): Props {
  return JSON.parse(JSON.stringify(props)) as Props;
}
