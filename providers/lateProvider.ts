import { createRequire } from "node:module";
import { extname, relative } from "node:path";
import type * as pulumi from "@pulumi/pulumi";

/**
 * A dynamic provider that reads its code when it is called, from the module of this project that exports `provider`.
 * Pulumi stores a provider's text with each of its resources: of this one that is a few lines which never change,
 * whatever happens to the code (docs/decisions/0009-tiles-are-dynamic-resources.md).
 *
 * @param file path from the project's folder, where the engine starts dynamic providers; see {@link fromProject}
 */
export function lateProvider(file: string): pulumi.dynamic.ResourceProvider<unknown, unknown> {
  const load = (): WholeProvider => {
    const root = `${process.cwd()}/index.ts`;
    const read = createRequire(root);
    // A package has it compiled.
    const code = file.endsWith(".ts")
      ? (read("tsx/cjs/api") as TypeScriptLoader).require(file, root)
      : (read(file) as ProviderModule);
    return code.provider;
  };
  return {
    check: (olds, news) => load().check(olds, news),
    diff: (id, olds, news) => load().diff(id, olds, news),
    create: (inputs) => load().create(inputs),
    read: (id, state) => load().read(id, state),
    update: (id, olds, news) => load().update(id, olds, news),
    delete: (id, state) => load().delete(id, state),
  };
}

/** Properties are whatever the engine hands over; the loaded provider knows their types. */
type WholeProvider = Required<Omit<pulumi.dynamic.ResourceProvider<unknown, unknown>, "configure">>;

interface ProviderModule {
  readonly provider: WholeProvider;
}

interface TypeScriptLoader {
  require(file: string, from: string): ProviderModule;
}

/** Returns the path of a module of this package, in the checkout or compiled, from the project's folder. */
export function fromProject(module: string): string {
  return `./${relative(process.cwd(), module)}${extname(__filename)}`;
}
