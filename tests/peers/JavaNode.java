// A Java node (jinterface) that says what it hears, and sends what it is told: see foreign.py.
//
//   JavaNode NAME@HOST COOKIE
//
// Its lines are those of cnode.c, but that it has a process `taker`, and `signal exit` for one that it is linked to.

import com.ericsson.otp.erlang.*;
import java.io.*;
import java.net.*;
import java.util.HexFormat;

public class JavaNode {
    public static void main(String[] arguments) throws Exception {
        OtpNode node = new OtpNode(arguments[0], arguments[1], new Loopback());
        OtpMbox box = node.createMbox("taker");
        node.registerStatusHandler(new OtpNodeStatus() {
            public void remoteStatus(String name, boolean up, Object info) {
                if (up) say("pid", box.self());
                say(up ? "up " + name : "down");
            }
        });
        say("ready");
        Thread hearing = new Thread(() -> hear(box));
        hearing.setDaemon(true);
        hearing.start();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        String peer = null;
        for (String line; (line = lines.readLine()) != null; ) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "connect" -> {
                    if (!node.ping(words[1], 10000)) say("failed connect");
                }
                case "send" -> box.send(words[1], words[3], term(words[2]));
                case "to" -> box.send((OtpErlangPid) term(words[1]), term(words[2]));
            }
        }
        Runtime.getRuntime().halt(0); // as if it had died: nobody is told
    }

    static void hear(OtpMbox box) {
        while (true) {
            try {
                say("got", box.receive());
            } catch (OtpErlangExit exit) {
                say("signal exit");
            } catch (OtpErlangDecodeException broken) {
                say("failed " + broken);
            }
        }
    }

    static OtpErlangObject term(String hex) throws OtpErlangDecodeException {
        return new OtpInputStream(HexFormat.of().parseHex(hex)).read_any();
    }

    static void say(String word, OtpErlangObject term) {
        OtpOutputStream out = new OtpOutputStream();
        out.write(OtpExternal.versionTag);
        out.write_any(term);
        say(word + " " + HexFormat.of().formatHex(out.toByteArray()));
    }

    static synchronized void say(String line) {
        System.out.println(line);
    }

    /** TCP on 127.0.0.1 alone. */
    static class Loopback implements OtpTransportFactory {
        public OtpTransport createTransport(String host, int port) throws IOException {
            return new OtpSocketTransport(host, port);
        }

        public OtpTransport createTransport(InetAddress host, int port) throws IOException {
            return new OtpSocketTransport(host, port);
        }

        public OtpServerTransport createServerTransport(int port) throws IOException {
            ServerSocket socket = new ServerSocket(port, 50, InetAddress.getLoopbackAddress());
            return new OtpServerTransport() {
                public int getLocalPort() {
                    return socket.getLocalPort();
                }

                public OtpTransport accept() throws IOException {
                    return new OtpSocketTransport(socket.accept());
                }

                public void close() throws IOException {
                    socket.close();
                }
            };
        }
    }
}
