import { extname, relative } from "node:path";
import * as pulumi from "@pulumi/pulumi";

/** What the module of a {@link LateResource} exports as `provider`. */
export type LateProvider<Inputs, State> = Required<
  Omit<pulumi.dynamic.ResourceProvider<Inputs, State>, "configure">
>;

/**
 * A resource of a dynamic provider that reads its code when it is called, from the module of this project that exports `provider`.
 * Pulumi stores a provider's text with each of its resources: of this one that is a few lines which never change,
 * whatever happens to the code (docs/decisions/0009-tiles-are-dynamic-resources.md).
 */
export abstract class LateResource extends pulumi.CustomResource {
  /**
   * @param type name of its type
   * @param file path from the project's folder, where the engine starts dynamic providers; see {@link fromProject}
   */
  protected constructor(
    type: string,
    file: string,
    name: string,
    props: pulumi.Inputs,
    opts?: pulumi.CustomResourceOptions,
  ) {
    super(
      `pulumi-nodejs:dynamic/openclaw:${type}`,
      name,
      { ...props, __provider: providerText(file) },
      { ...opts, provider: stackProvider() },
    );
  }
}

/** The SDK's host of dynamic providers. */
class DynamicProvider extends pulumi.ProviderResource {}

const providers = new WeakMap<object, pulumi.ProviderResource>();
const noStack = {};

/**
 * Returns the provider of a stack's dynamic resources. The one that the engine makes by itself has all settings of the stack as its
 * inputs. With a changed setting the engine closes it, although it may be deleting something by it that is replaced.
 */
function stackProvider(): pulumi.ProviderResource {
  const stack = pulumi.runtime.getStackResource() ?? noStack;
  const known = providers.get(stack);
  const provider = known ?? new DynamicProvider("pulumi-nodejs", "openclaw-dynamic", {});
  providers.set(stack, provider);
  return provider;
}

/**
 * Returns a provider as the SDK's host of dynamic providers takes it: the text of a module. The SDK could write it, and would load
 * TypeScript's compiler for that at each start of the program.
 */
export function providerText(file: string): string {
  return `// Runs in the project's folder.
const { createRequire } = require("node:module");
const file = ${JSON.stringify(file)};
function load() {
  const root = process.cwd() + "/index.ts";
  const read = createRequire(root);
  // A package has it compiled.
  const code = file.endsWith(".ts") ? read("tsx/cjs/api").require(file, root) : read(file);
  return code.provider;
}
exports.handler = () => ({
  check: (olds, news) => load().check(olds, news),
  diff: (id, olds, news) => load().diff(id, olds, news),
  create: (inputs) => load().create(inputs),
  read: (id, state) => load().read(id, state),
  update: (id, olds, news) => load().update(id, olds, news),
  delete: (id, state) => load().delete(id, state),
});
`;
}

/** Returns the path of a module of this package, in the checkout or compiled, from the project's folder. */
export function fromProject(module: string): string {
  return `./${relative(process.cwd(), module)}${extname(__filename)}`;
}
