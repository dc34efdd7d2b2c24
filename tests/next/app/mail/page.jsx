import { View } from "../../site/view";

export const dynamic = "force-dynamic";

/// The link of the last mail.
export default function Page() {
  return <View session={JSON.stringify(globalThis.lastLink)} />;
}
