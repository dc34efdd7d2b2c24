import { getServerSession } from "next-auth";
import { InBrowser } from "../../../site/in-browser-4";
import { options } from "../../../site/next-auth-4";
import { View } from "../../../site/view";

export default async function Page() {
  return (
    <View session={JSON.stringify(await getServerSession(options))}>
      <InBrowser />
    </View>
  );
}
