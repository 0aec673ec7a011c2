import { buildsImage, namespace, type Settings } from "./index";

/** What a person still has to do before OpenClaw answers, a sentence for each; none where all is set. */
export function nextSteps(settings: Settings, stack: string): string[] {
  const option = stack === "dev" ? "" : ` --stack ${stack}`;
  const then = option && ` --${option}`;
  const hasKey = Object.keys(settings.providerKeys).length > 0;
  return [
    ...(hasKey
      ? []
      : [
          `Give OpenClaw an AI provider's key, without which it can't answer: npm run pulumi -- config set --secret --path '${namespace}:providerKeys.ANTHROPIC_API_KEY' --stack ${stack}, then npm run up${then}`,
        ]),
    ...(buildsImage(settings)
      ? []
      : [
          `Let each new browser in once: open the dashboard with the gateway token, then npm run approve${then}`,
        ]),
  ];
}
