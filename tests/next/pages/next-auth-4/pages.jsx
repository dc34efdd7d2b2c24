import { getServerSession } from "next-auth";
import { InBrowser } from "../../site/in-browser-4";
import { options } from "../../site/next-auth-4";
import { View } from "../../site/view";

export async function getServerSideProps({ req, res }) {
  return { props: { session: JSON.stringify(await getServerSession(req, res, options)) } };
}

export default function Page({ session }) {
  return (
    <View session={session}>
      <InBrowser />
    </View>
  );
}
