import { auth } from "../../site/auth-js-5";
import { InBrowser } from "../../site/in-browser-5";
import { View } from "../../site/view";

export async function getServerSideProps(context) {
  return { props: { session: JSON.stringify(await auth(context)) } };
}

export default function Page({ session }) {
  return (
    <View session={session}>
      <InBrowser />
    </View>
  );
}
