import { sessionOf } from "../../site/iron-session";
import { Changes, View } from "../../site/view";

export async function getServerSideProps({ req, res }) {
  return { props: { session: JSON.stringify(await sessionOf(req, res)) } };
}

export default function Page({ session }) {
  return (
    <View session={session}>
      <Changes action="/api/iron-session" />
    </View>
  );
}
