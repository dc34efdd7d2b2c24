import { cookies } from "next/headers";
import { sessionOf } from "../../../site/iron-session";
import { Changes, View } from "../../../site/view";

export default async function Page() {
  return (
    <View session={JSON.stringify(await sessionOf(await cookies()))}>
      <Changes action="/iron-session/app" />
    </View>
  );
}
