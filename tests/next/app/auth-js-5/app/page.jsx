import { auth } from "../../../site/auth-js-5";
import { InBrowser } from "../../../site/in-browser-5";
import { View } from "../../../site/view";

export default async function Page() {
  return (
    <View session={JSON.stringify(await auth())}>
      <InBrowser />
    </View>
  );
}
