import * as pulumi from "@pulumi/pulumi";
import { ownLabel } from "./stackLabel";

/** Returns the labels of a thing on Docker that is called `name` there: they name its stack. */
export function ownLabels(
  name: pulumi.Input<string>,
): pulumi.Output<{ label: string; value: string }[]> {
  return pulumi.output(name).apply((known) => {
    const { key, value } = ownLabel(pulumi.getStack(), known);
    return [{ label: key, value }];
  });
}
